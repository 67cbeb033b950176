//! A real Chromium, driven through ChromeDriver (W3C WebDriver), and the page of a tablet in it.
//!
//! Eight commands of the protocol are all that is needed; the libraries that speak the rest bring a second copy of half the tree.
//! Invariant: the browser and its driver end with the test, however it ends.

mod wire;

use crate::fleet::{Fleet, LIMIT, eventually};
use neonpro_contract::permissions::Audience;
use neonpro_mobile::serve::{Served, serve};
use serde_json::{Value as Json, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Where `./dev test` puts axe-core, unless this says otherwise.
const AXE: &str = "../target/axe/axe.min.js";
/// Names distributions give the browser.
const BROWSERS: [&str; 4] =
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/snap/bin/chromium"];
/// How WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A tablet held upright.
pub const UPRIGHT: (u32, u32) = (768, 1024);
/// A tablet laid down.
pub const LAID_DOWN: (u32, u32) = (1280, 800);

/// A browser and its driver.
pub struct Browser {
    _driver: Child,
    address: SocketAddr,
}

impl Browser {
    /// Starts a driver on a free port.
    ///
    /// # Panics
    /// There is none: `./dev test` installs it.
    pub async fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--allowed-ips=127.0.0.1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver is missing: ./dev test installs it");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = tokio::time::timeout(LIMIT, async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(port) = line.split("successfully on port ").nth(1) {
                    return port.trim_end_matches('.').parse::<u16>().unwrap();
                }
            }
            panic!("chromedriver said no port");
        });
        let port = port.await.expect("chromedriver did not start");
        // What it says later must not fill the pipe.
        tokio::spawn(async move { while lines.next_line().await.ok().flatten().is_some() {} });
        Self { _driver: driver, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// A window of its own: other cookies, other storage.
    pub async fn window(&self, size: (u32, u32)) -> Window {
        let binary = BROWSERS.into_iter().find(|path| Path::new(path).exists()).expect("no Chromium here");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--force-device-scale-factor=1",
            "--hide-scrollbars",
            // A camera that needs no room and no permission.
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            &format!("--window-size={},{}", size.0, size.1),
        ];
        let options = json!({ "binary": binary, "args": arguments });
        let asked = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" }
        } } });
        let made = wire::ask(self.address, "POST", "/session", Some(&asked)).await.unwrap();
        let session = made["sessionId"].as_str().unwrap().to_owned();
        let window = Window { address: self.address, session };
        window.resize(size).await;
        window
    }
}

/// A window.
pub struct Window {
    address: SocketAddr,
    session: String,
}

impl Window {
    /// The window of an app that WebKitGTK's driver at this address starts.
    ///
    /// # Errors
    /// What the driver says.
    pub async fn of_app(driver: SocketAddr, app: &Path) -> Result<Self, String> {
        let options = json!({ "binary": app, "args": [] });
        let asked = json!({ "capabilities": { "alwaysMatch": { "webkitgtk:browserOptions": options } } });
        let made = wire::ask(driver, "POST", "/session", Some(&asked)).await?;
        let session = made["sessionId"].as_str().ok_or("no session")?.to_owned();
        Ok(Self { address: driver, session })
    }

    /// Closes the window, and what it belongs to.
    pub fn close(self) {
        drop(self);
    }

    /// Closes the window as a person does, and leaves what it belongs to to itself.
    pub async fn close_window(&self) {
        // An app that ends with its window may not answer any more.
        let _ = self.ask("DELETE", "/window", None).await;
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Json>) -> Result<Json, String> {
        wire::ask(self.address, method, &format!("/session/{}{path}", self.session), body.as_ref()).await
    }

    /// Gives what is shown this size, whatever the frame around it takes.
    pub async fn resize(&self, (width, height): (u32, u32)) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Light or dark.
    pub async fn scheme(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    async fn devtools(&self, command: &str, params: Json) {
        let body = json!({ "cmd": command, "params": params });
        self.ask("POST", "/goog/cdp/execute", Some(body)).await.unwrap();
    }

    pub async fn goto(&self, url: &str) {
        self.ask("POST", "/url", Some(json!({ "url": url }))).await.unwrap();
    }

    pub async fn url(&self) -> String {
        self.ask("GET", "/url", None).await.unwrap().as_str().unwrap().to_owned()
    }

    /// Runs a script and returns its value.
    pub async fn run(&self, script: &str, arguments: Json) -> Json {
        let body = json!({ "script": script, "args": arguments });
        self.ask("POST", "/execute/sync", Some(body)).await.unwrap()
    }

    /// The same for scripts that call back.
    pub async fn run_async(&self, script: &str, arguments: Json) -> Json {
        let body = json!({ "script": script, "args": arguments });
        self.ask("POST", "/execute/async", Some(body)).await.unwrap()
    }

    async fn find(&self, css: &str) -> Option<String> {
        let body = json!({ "using": "css selector", "value": css });
        let found = self.ask("POST", "/element", Some(body)).await.ok()?;
        Some(found[ELEMENT].as_str()?.to_owned())
    }

    async fn element(&self, css: &str) -> String {
        let mut found = None;
        eventually(&format!("{css} is on the page"), async || {
            found = self.find(css).await;
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    pub async fn is_there(&self, css: &str) -> bool {
        self.find(css).await.is_some()
    }

    /// Does something to an element. A region may be fetched again in between: then it is another element, and it is done to that.
    async fn act(&self, css: &str, what: &str, body: Json) {
        let mut done = Err(String::new());
        eventually(&format!("{what} of {css}"), async || {
            let element = self.element(css).await;
            done = self.ask("POST", &format!("/element/{element}/{what}"), Some(body.clone())).await;
            !matches!(&done, Err(error) if error.starts_with("stale element"))
        })
        .await;
        done.unwrap();
    }

    /// Clicks as a person does: at the middle, scrolled into view, and nothing may cover it.
    pub async fn click(&self, css: &str) {
        self.act(css, "click", json!({})).await;
    }

    /// Types over what is in a field.
    pub async fn fill(&self, css: &str, text: &str) {
        self.act(css, "clear", json!({})).await;
        self.act(css, "value", json!({ "text": text })).await;
    }

    /// Chooses the option whose words hold these.
    pub async fn choose(&self, css: &str, words: &str) {
        self.element(css).await;
        let script = "const [css, words] = arguments; const select = document.querySelector(css);
            const option = [...select.options].find((one) => one.textContent.includes(words));
            if (!option) return false; select.value = option.value;
            select.dispatchEvent(new Event('change', { bubbles: true })); return true;";
        assert_eq!(self.run(script, json!([css, words])).await, json!(true), "{words} is no choice of {css}");
    }

    /// The words of the page, or of the first element that fits.
    pub async fn text(&self, css: &str) -> String {
        let script =
            "const found = document.querySelector(arguments[0]); return found ? found.innerText : '';";
        self.run(script, json!([css])).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an element's words hold these.
    pub async fn shows(&self, css: &str, words: &str) {
        eventually(&format!("{css} shows {words}"), async || self.text(css).await.contains(words)).await;
    }

    /// Drags over an element, points in thousandths of its box.
    pub async fn draw(&self, css: &str, points: &[(u32, u32)]) {
        self.element(css).await;
        let script =
            "const one = document.querySelector(arguments[0]); one.scrollIntoView({ block: 'center' });
            const box = one.getBoundingClientRect(); return [box.x, box.y, box.width, box.height];";
        let area: Vec<f64> = serde_json::from_value(self.run(script, json!([css])).await).unwrap();
        let at = |(x, y): &(u32, u32)| {
            let part = |from: f64, size: f64, of: u32| from + size * f64::from(of) / 1_000.0;
            (part(area[0], area[2], *x).round(), part(area[1], area[3], *y).round())
        };
        let mut actions = Vec::new();
        for (index, point) in points.iter().enumerate() {
            let (x, y) = at(point);
            actions.push(json!({ "type": "pointerMove", "duration": 5, "x": x, "y": y }));
            if index == 0 {
                actions.push(json!({ "type": "pointerDown", "button": 0 }));
            }
        }
        actions.push(json!({ "type": "pointerUp", "button": 0 }));
        let body = json!({ "actions": [{ "type": "pointer", "id": "finger", "parameters": { "pointerType": "mouse" },
            "actions": actions }] });
        self.ask("POST", "/actions", Some(body)).await.unwrap();
    }

    /// A picture of what is shown, PNG.
    pub async fn picture(&self) -> Vec<u8> {
        use base64::Engine as _;
        let taken = self.ask("GET", "/screenshot", None).await.unwrap();
        base64::engine::general_purpose::STANDARD.decode(taken.as_str().unwrap()).unwrap()
    }

    /// What axe-core finds that keeps people out (serious or critical, WCAG 2 A and AA), a line each.
    pub async fn barriers(&self) -> Vec<String> {
        let axe = std::env::var_os("NEONPRO_AXE").map_or_else(|| PathBuf::from(AXE), PathBuf::from);
        let axe = std::fs::read_to_string(&axe).expect("axe-core is missing: ./dev test fetches it");
        self.run(&axe, json!([])).await;
        let script = "const done = arguments[arguments.length - 1];
            axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }).then((found) => done(found.violations
                .filter((one) => one.impact === 'serious' || one.impact === 'critical')
                .map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).slice(0, 4).join(' | ')}`)),
                (error) => done([String(error)]));";
        serde_json::from_value(self.run_async(script, json!([])).await).unwrap()
    }

    /// What the browser complained of since it was asked last: scripts that failed, styles that were refused.
    pub async fn complaints(&self) -> Vec<String> {
        let told = self.ask("POST", "/se/log", Some(json!({ "type": "browser" }))).await.unwrap();
        let told = told.as_array().unwrap().iter();
        told.filter(|entry| entry["level"] == "SEVERE")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            // A refused form is an answer, not a failure.
            .filter(|message| !message.contains("status of 422"))
            .collect()
    }
}

/// A browser outlives its driver: its session is ended first, also by a test that fails.
impl Drop for Window {
    fn drop(&mut self) {
        wire::end(self.address, &self.session);
    }
}

/// A tablet whose page is served, and a window onto it.
pub struct Screen {
    pub window: Window,
    base: String,
    end: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
    _dir: TempDir,
}

impl Screen {
    /// Enrols a tablet in a clinic of the fleet, waits for its first sync, and opens its page as this person.
    pub async fn open(fleet: &Fleet, browser: &Browser, clinic: usize, person: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let ticket = fleet.ticket(fleet.clinic(clinic).id, Audience::Clinical).await;
        let served = Served {
            replica: dir.path().join("tablet.replica"),
            key_file: dir.path().join("tablet.key"),
            enrol: Some((ticket, format!("tablet de {person}"))),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            offline: false,
        };
        let (ready, entrance) = oneshot::channel();
        let (end, ended) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            let ready = |url: &str| ready.send(url.to_owned()).unwrap();
            let end = async move { drop(ended.await) };
            serve(served, ready, end).await.unwrap();
        });
        let entrance = tokio::time::timeout(LIMIT, entrance).await.unwrap().unwrap();
        let base = entrance.split("/?").next().unwrap().to_owned();
        let window = browser.window(UPRIGHT).await;
        window.goto(&entrance).await;
        let screen = Self { window, base, end: Some(end), serving, _dir: dir };
        screen.shows("#situacao", "Conectado ao servidor").await;
        eventually("the first sync is over", async || {
            screen.goto("/pacientes").await;
            !screen.window.is_there(".bootstrap").await && screen.window.is_there("#lista a.row").await
        })
        .await;
        screen.as_person(person).await;
        screen
    }

    /// Another person takes the tablet.
    pub async fn as_person(&self, person: &str) {
        self.window.choose("#autor", person).await;
        eventually("the person is known", async || {
            let script =
                "const one = document.querySelector('#autor'); return one.selectedOptions[0].textContent;";
            let chosen = self.window.run(script, json!([])).await;
            chosen.as_str().is_some_and(|chosen| chosen.contains(person))
                && !self.window.is_there(".person[data-missing]").await
        })
        .await;
    }

    pub async fn goto(&self, path: &str) {
        self.window.goto(&format!("{}{path}", self.base)).await;
    }

    /// The page's address without its host.
    pub async fn here(&self) -> String {
        self.window.url().await.replacen(&self.base, "", 1)
    }

    pub async fn shows(&self, css: &str, words: &str) {
        self.window.shows(css, words).await;
    }

    /// Waits until the page is another one, and says which.
    pub async fn goes_to(&self, start: &str) -> String {
        eventually(&format!("the page is {start}"), async || self.here().await.starts_with(start)).await;
        self.here().await
    }

    /// Closes the tablet; its replica is whole.
    pub async fn close(mut self) {
        drop(self.end.take());
        self.serving.await.unwrap();
    }
}
