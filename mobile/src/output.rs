//! What the program tells whoever started it: one line on standard output, nothing else.

/// Prints one line.
#[expect(clippy::print_stdout, reason = "the command-line output of the binary")]
pub fn line(text: &str) {
    println!("{text}");
}

/// Prints why the program ends, with what caused it.
pub fn problem(error: &dyn std::error::Error) {
    eprintln!("neonpro-tablet: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}
