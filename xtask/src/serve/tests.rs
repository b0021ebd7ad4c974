//! The server over a real socket.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;

/// Serves a small page while `check` runs; the thread that serves ends with the test process.
fn with_site(check: impl FnOnce(SocketAddr)) {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("index.html"), "<p>page</p>").unwrap();
    fs::write(place.path().join("a.wasm"), (0..=255).cycle().take(100_000).collect::<Vec<u8>>()).unwrap();
    check(serve(page(place.path(), None).unwrap()));
}

/// Serves `layers` on a free port.
fn serve(layers: Layers) -> SocketAddr {
    let server = Server::open(0).unwrap();
    let address = server.address;
    thread::spawn(move || server.serve(move |request| answer(&layers, request)));
    address
}

/// Sends one request and returns the head, in small letters, and the body.
fn ask(address: SocketAddr, line: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    (String::from_utf8_lossy(&bytes[..end]).to_lowercase(), bytes[end..].to_vec())
}

#[test]
fn wasm_comes_whole_with_its_type_and_length() {
    with_site(|address| {
        let (head, body) = ask(address, "GET /a.wasm", "");
        assert!(head.starts_with("http/1.1 200"), "{head}");
        for line in [
            "content-type: application/wasm",
            "content-length: 100000",
            "cache-control: no-cache",
            "accept-ranges: bytes",
            "etag: \"",
        ] {
            assert!(head.contains(line), "{line} in {head}");
        }
        assert_eq!(body.len(), 100_000);
    });
}

#[test]
fn head_has_no_body() {
    with_site(|address| {
        let (head, body) = ask(address, "HEAD /", "");
        assert!(head.starts_with("http/1.1 200") && head.contains("text/html") && body.is_empty(), "{head}");
    });
}

#[test]
fn a_range_is_a_part() {
    with_site(|address| {
        let (head, body) = ask(address, "GET /a.wasm", "Range: bytes=10-12\r\n");
        assert!(head.starts_with("http/1.1 206") && head.contains("content-range: bytes 10-12/100000"), "{head}");
        assert_eq!(body, [10, 11, 12]);
        let (head, _) = ask(address, "GET /a.wasm", "Range: bytes=100000-\r\n");
        assert!(head.starts_with("http/1.1 416") && head.contains("content-range: bytes */100000"), "{head}");
        let (head, _) = ask(address, "GET /a.wasm", "Range: bytes=10-12\r\nIf-Range: \"old\"\r\n");
        assert!(head.starts_with("http/1.1 200"), "{head}");
    });
}

#[test]
fn what_the_browser_has_is_not_sent_again() {
    with_site(|address| {
        let (head, _) = ask(address, "GET /a.wasm", "");
        let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
        let (head, body) = ask(address, "GET /a.wasm", &format!("If-None-Match: {tag}\r\n"));
        assert!(head.starts_with("http/1.1 304") && body.is_empty(), "{head}");
        let (head, _) = ask(address, "GET /a.wasm", "If-None-Match: \"old\"\r\n");
        assert!(head.starts_with("http/1.1 200"), "{head}");
    });
}

#[test]
fn refusals_have_their_status() {
    with_site(|address| {
        for (line, status) in
            [("GET /absent", "404"), ("GET /../x", "400"), ("GET /%2e%2e/x", "400"), ("DELETE /", "405")]
        {
            let (head, _) = ask(address, line, "");
            assert!(head.starts_with(&format!("http/1.1 {status}")), "{line}: {head}");
        }
    });
}

#[test]
fn an_idle_connection_keeps_nobody_waiting() {
    with_site(|address| {
        let idle: Vec<_> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
        let asked: Vec<_> = (0..20).map(|_| thread::spawn(move || ask(address, "GET /a.wasm", "").1.len())).collect();
        assert!(asked.into_iter().all(|thread| thread.join().unwrap() == 100_000));
        drop(idle);
    });
}

#[test]
fn a_missing_folder_names_the_remedy() {
    let error = page(Path::new("/nowhere"), None).err().unwrap().to_string();
    assert!(error.contains("cargo xtask build"), "{error}");
    let error = page(Path::new("/"), Some(Path::new("/nowhere"))).err().unwrap().to_string();
    assert!(error.contains("/nowhere"), "{error}");
}

#[test]
fn a_taken_port_is_named() {
    with_site(|address| {
        let error = Server::open(address.port()).err().unwrap().to_string();
        assert!(error.contains(&address.port().to_string()) && error.contains("--port"), "{error}");
    });
}

#[test]
fn a_connection_serves_several_requests() {
    with_site(|address| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "GET / HTTP/1.1\r\n\r\nGET /absent HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2, "{text}");
        assert_eq!(text.matches("HTTP/1.1 404").count(), 1, "{text}");
    });
}

#[test]
fn a_bundle_lies_beside_the_page_and_leads_nowhere_else() {
    let place = tempfile::tempdir().unwrap();
    let (built, bundle) = (place.path().join("page"), place.path().join("big"));
    for folder in [&built, &bundle] {
        fs::create_dir(folder).unwrap();
    }
    fs::write(built.join("index.html"), "page").unwrap();
    fs::write(built.join("bundle.html"), "page's own").unwrap();
    fs::write(bundle.join("manifest.json"), "{}").unwrap();
    let address = serve(page(&built, Some(&bundle)).unwrap());
    assert_eq!(ask(address, "GET /bundle/manifest.json", "").1, b"{}");
    assert_eq!(ask(address, "GET /bundle.html", "").1, b"page's own");
    assert!(ask(address, "GET /bundle/../page/index.html", "").0.starts_with("http/1.1 400"));
    assert!(ask(address, "GET /manifest.json", "").0.starts_with("http/1.1 404"));
}
