//! HTTP/1.1 on one connection: requests without bodies in, answers out, one after the other.

use std::fs::File;
use std::io::{self, Read, Take, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The longest head of a request that is read.
const HEAD_LIMIT: usize = 16 * 1024;
/// How long a connection may lie idle, or an answer wait for its reader.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was asked for.
pub struct Request {
    /// `GET`, `HEAD`, or something that is refused.
    pub method: String,
    /// The path and query, still escaped.
    pub target: String,
    headers: Vec<(String, String)>,
    keep_alive: bool,
}

impl Request {
    /// A bare GET, for tests that need no connection.
    #[cfg(test)]
    pub fn get(target: &str) -> Self {
        Self { method: "GET".into(), target: target.into(), headers: Vec::new(), keep_alive: true }
    }

    /// A header's value, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What comes back.
pub struct Answer {
    /// With its reason: `200 OK`.
    pub status: &'static str,
    /// Without Content-Length, which the body decides.
    pub headers: Vec<(&'static str, String)>,
    /// The body; for HEAD only its length is told.
    pub body: Body,
}

/// What an answer carries.
pub enum Body {
    /// Nothing, and no length either: 304.
    None,
    /// A sentence.
    Text(String),
    /// A part of a file, of known length.
    File(Take<File>, u64),
}

impl Answer {
    /// A refusal in words.
    pub fn refusal(status: &'static str, words: &str) -> Self {
        let headers =
            vec![("Content-Type", "text/plain; charset=utf-8".to_owned()), ("Cache-Control", "no-store".to_owned())];
        Self { status, headers, body: Body::Text(format!("{words}\n")) }
    }
}

/// Answers requests until the other side closes, asks to close, is silent for too long or talks no HTTP.
pub fn serve(stream: &TcpStream, answer: impl Fn(&Request) -> Answer) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        match read_request(&mut &*stream, &mut buffer)? {
            Incoming::Closed => return Ok(()),
            Incoming::Refused(refusal) => return write_answer(stream, refusal, true, false),
            Incoming::Request(request) => {
                let with_body = request.method != "HEAD";
                write_answer(stream, answer(&request), with_body, request.keep_alive)?;
                if !request.keep_alive {
                    return Ok(());
                }
            }
        }
    }
}

enum Incoming {
    Request(Request),
    Refused(Answer),
    Closed,
}

/// Reads one request; what follows it stays in `buffer`.
fn read_request(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Incoming> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Request::new(&mut headers);
        match head.parse(buffer) {
            Ok(httparse::Status::Complete(length)) => {
                let request = owned(&head);
                buffer.drain(..length);
                return Ok(match request {
                    // Where a body ends is then unknown, and nothing here takes one.
                    request if has_body(&request) => {
                        Incoming::Refused(Answer::refusal("413 Content Too Large", "no request here has a body"))
                    }
                    request => Incoming::Request(request),
                });
            }
            Ok(httparse::Status::Partial) if buffer.len() < HEAD_LIMIT => {}
            Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
                return Ok(Incoming::Refused(Answer::refusal(
                    "431 Request Header Fields Too Large",
                    "the request's head is too long",
                )));
            }
            Err(error) => {
                return Ok(Incoming::Refused(Answer::refusal(
                    "400 Bad Request",
                    &format!("this is no HTTP request: {error}"),
                )));
            }
        }
        let mut more = [0; 4096];
        match stream.read(&mut more)? {
            0 => return Ok(Incoming::Closed),
            count => buffer.extend_from_slice(&more[..count]),
        }
    }
}

fn owned(head: &httparse::Request<'_, '_>) -> Request {
    let headers: Vec<_> = head
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).trim().to_owned()))
        .collect();
    let mut request = Request {
        method: head.method.unwrap_or_default().to_owned(),
        target: head.path.unwrap_or_default().to_owned(),
        headers,
        keep_alive: head.version == Some(1),
    };
    if request.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
        request.keep_alive = false;
    }
    request
}

fn has_body(request: &Request) -> bool {
    request.header("Transfer-Encoding").is_some()
        || request.header("Content-Length").is_some_and(|length| length != "0")
}

fn write_answer(mut stream: &TcpStream, answer: Answer, with_body: bool, keep_alive: bool) -> io::Result<()> {
    let mut head = format!("HTTP/1.1 {}\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    // Lengths are always told, rather than sending chunks, so that the page's load bar has an end.
    match &answer.body {
        Body::None => {}
        Body::Text(text) => head += &format!("Content-Length: {}\r\n", text.len()),
        Body::File(_, length) => head += &format!("Content-Length: {length}\r\n"),
    }
    head += if keep_alive { "\r\n" } else { "Connection: close\r\n\r\n" };
    stream.write_all(head.as_bytes())?;
    match answer.body {
        Body::Text(text) if with_body => stream.write_all(text.as_bytes()),
        Body::File(mut file, length) if with_body => match io::copy(&mut file, &mut stream)? {
            sent if sent == length => Ok(()),
            // The file has shrunk since its length was told: only closing tells the reader.
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        },
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Incoming, Vec<u8>) {
        let mut buffer = Vec::new();
        let read = read_request(&mut text.as_bytes(), &mut buffer);
        (read.expect("memory can be read"), buffer)
    }

    #[test]
    fn two_requests_in_one_packet_are_two() {
        let (first, rest) = read("GET /a HTTP/1.1\r\nhost: x\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
        let Incoming::Request(request) = first else { panic!("refused") };
        assert_eq!((request.target.as_str(), request.header("Host"), request.keep_alive), ("/a", Some("x"), true));
        assert!(rest.starts_with(b"GET /b"));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let refused = |text: &str| matches!(read(text).0, Incoming::Refused(_));
        assert!(refused("\u{1}\u{2}\r\n\r\n"));
        assert!(refused("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"));
        assert!(refused("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"));
        assert!(refused(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(HEAD_LIMIT))[..HEAD_LIMIT]));
        assert!(matches!(read("GET / HT").0, Incoming::Closed));
        assert!(matches!(read("").0, Incoming::Closed));
    }

    #[test]
    fn the_old_protocol_closes() {
        let (Incoming::Request(old), _) = read("GET / HTTP/1.0\r\n\r\n") else { panic!("refused") };
        assert!(!old.keep_alive);
    }
}
