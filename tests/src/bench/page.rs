//! The tablet's own page over one connection, as a browser would use it.

use crate::fleet::Tablet;
use neonpro_contract::ids::{AuthorId, RecordId};
use neonpro_mobile::app::App;
use neonpro_mobile::guard::Guard;
use neonpro_mobile::router::router;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A browser with one open connection.
pub struct Page {
    stream: TcpStream,
    host: String,
    cookies: String,
    /// The address that opens the page.
    pub entrance: String,
}

impl Page {
    /// Serves the page and enters it.
    pub async fn open(tablet: &Tablet, author: AuthorId) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let guard = Guard::new(address).unwrap();
        let (entrance, cookie) = (guard.entrance(), guard.cookie().to_owned());
        let app = App::new(tablet.replica.clone(), tablet.path.clone(), guard, None);
        tokio::spawn(async move { axum::serve(listener, router(app)).await });
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut page = Self { stream, host: address.to_string(), cookies: String::new(), entrance };
        let path = page.entrance.split_once(&page.host).unwrap().1.to_owned();
        let (head, _) = page.ask("GET", &path, "").await;
        let secret = head.split(&format!("{cookie}=")).nth(1).unwrap().split(';').next().unwrap().to_owned();
        page.cookies = format!("{cookie}={secret}; {cookie}_autor={author}");
        page
    }

    /// Posts a patient's telephone and follows to the page that shows it.
    pub async fn save_phone(&mut self, patient: RecordId, phone: &str) {
        let encoded = phone.replace('+', "%2B").replace(' ', "+");
        let (head, _) = self.ask("POST", &format!("/pacientes/{patient}"), &format!("phone={encoded}")).await;
        let path = head
            .lines()
            .find_map(|line| line.strip_prefix("location: "))
            .unwrap_or_else(|| panic!("the form was not saved: {head}"))
            .to_owned();
        let (_, body) = self.ask("GET", &path, "").await;
        assert!(body.contains(phone), "the page does not show what was saved");
    }

    /// Fetches a screen; how many bytes it has.
    pub async fn get(&mut self, path: &str) -> usize {
        let (head, body) = self.ask("GET", path, "").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        body.len()
    }

    async fn ask(&mut self, method: &str, path: &str, body: &str) -> (String, String) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\ncookie: {cookies}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{body}",
            host = self.host,
            cookies = self.cookies,
            length = body.len(),
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let mut chunk = vec![0u8; 64 * 1024];
        loop {
            let read = self.stream.read(&mut chunk).await.unwrap();
            assert!(read > 0, "the page hung up");
            bytes.extend_from_slice(&chunk[..read]);
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .and_then(|text| text.trim().parse().ok())
                .unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                let original = String::from_utf8_lossy(&bytes[..end]).into_owned();
                let head =
                    original.replace("Location: ", "location: ").replace("Set-Cookie: ", "set-cookie: ");
                return (head, String::from_utf8_lossy(&bytes[end + 4..]).into_owned());
            }
        }
    }
}
