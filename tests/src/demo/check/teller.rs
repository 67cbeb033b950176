//! Tells the story line by line and remembers whether all of it was as it should be.

use crate::demo::say;
use std::error::Error;
use std::fmt::Debug;
use std::time::Instant;

/// Whoever tells the story.
#[derive(Debug)]
pub struct Teller {
    began: Instant,
    step: Instant,
    told: u32,
    wrong: u32,
}

impl Teller {
    /// Begins under a title.
    #[must_use]
    pub fn begin(title: &str) -> Self {
        say(title);
        let now = Instant::now();
        Self { began: now, step: now, told: 0, wrong: 0 }
    }

    /// A heading.
    pub fn scene(&mut self, title: &str) {
        say(&format!("\n{title}"));
    }

    /// A sentence that is true, or not.
    pub fn holds(&mut self, sentence: &str, true_: bool) {
        self.tell(sentence, if true_ { Vec::new() } else { vec!["this does not hold".to_owned()] });
    }

    /// A sentence about two things that must be equal.
    pub fn equal<T: PartialEq + Debug>(&mut self, sentence: &str, found: &T, expected: &T) {
        let problems = if found == expected {
            Vec::new()
        } else {
            vec![format!("expected {expected:?}"), format!("found    {found:?}")]
        };
        self.tell(sentence, problems);
    }

    /// A sentence with what speaks against it.
    pub fn tell(&mut self, sentence: &str, problems: Vec<String>) {
        self.told += 1;
        let mark = if problems.is_empty() { '✓' } else { '✗' };
        say(&format!("  {mark} {sentence} [{}]", seconds(self.step)));
        self.step = Instant::now();
        if !problems.is_empty() {
            self.wrong += 1;
        }
        for problem in problems.iter().take(20) {
            say(&format!("      {problem}"));
        }
        if problems.len() > 20 {
            say(&format!("      … and {} more", problems.len() - 20));
        }
    }

    /// The story cannot go on.
    pub fn breaks_off(&mut self, problem: &dyn Error) {
        let mut words = vec![problem.to_string()];
        let mut cause = problem.source();
        while let Some(because) = cause {
            words.push(format!("because: {because}"));
            cause = because.source();
        }
        self.tell("The story breaks off", words);
    }

    /// The last line. `true` when everything was as it should be.
    #[must_use]
    pub fn end(self) -> bool {
        let all = seconds(self.began);
        if self.wrong == 0 {
            say(&format!("\nAll {} steps hold, in {all}.", self.told));
        } else {
            say(&format!("\n{} of {} steps do not hold, in {all}.", self.wrong, self.told));
        }
        self.wrong == 0
    }
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_step_makes_the_story_wrong() {
        let mut teller = Teller::begin("a story");
        teller.equal("one is one", &1, &1);
        teller.holds("this is so", true);
        assert_eq!((teller.told, teller.wrong), (2, 0));
        teller.equal("one is two", &1, &2);
        assert!(!teller.end());
        assert!(Teller::begin("an empty story").end());
    }
}
