//! A file server for the page: 127.0.0.1 only, several connections at once, ranges, and nothing outside its folder.

mod range;
mod resource;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use anyhow::{Result, anyhow, bail};
use clap::Args;
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

use crate::places::Places;
use range::Range;
use resource::Resource;

/// Serve a folder on 127.0.0.1 without building.
#[derive(Args)]
pub struct Options {
    /// The folder [default: dist].
    folder: Option<PathBuf>,
    /// The port; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// The subcommand: prints the address as its only line of output, and serves until it is killed.
pub fn run(places: &Places, options: &Options) -> Result<()> {
    let site = Site::open(options.folder.as_deref().unwrap_or(&places.dist()), options.port)?;
    println!("{}", site.address());
    site.serve();
    Ok(())
}

/// A folder that is being served.
pub struct Site {
    folder: Arc<Path>,
    server: Arc<Server>,
    address: SocketAddr,
}

impl Site {
    /// Binds the port; connections wait until [`Site::serve`].
    ///
    /// # Errors
    /// When `folder` is missing or the port is taken.
    pub fn open(folder: &Path, port: u16) -> Result<Self> {
        let folder = folder.canonicalize().ok().filter(|folder| folder.is_dir());
        let Some(folder) = folder else { bail!("there is no folder to serve; build it with `cargo xtask build`") };
        let server = Server::http(("127.0.0.1", port))
            .map_err(|error| anyhow!("cannot listen on 127.0.0.1:{port}: {error}; choose another port with `--port`"))?;
        let Some(address) = server.server_addr().to_ip() else { bail!("the server has no address") };
        Ok(Self { folder: folder.into(), server: Arc::new(server), address })
    }

    /// `http://127.0.0.1:8080/`
    pub fn address(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves until the process ends or [`Server::unblock`] is called.
    pub fn serve(&self) {
        // As many as a browser opens to one host; more wait in line.
        let workers: Vec<_> = (0..6)
            .map(|_| {
                let (folder, server) = (Arc::clone(&self.folder), Arc::clone(&self.server));
                thread::spawn(move || {
                    for request in server.incoming_requests() {
                        // A visitor who has left is none of our errors.
                        let _ = answer(&folder, request);
                    }
                })
            })
            .collect();
        for worker in workers {
            let _ = worker.join();
        }
    }
}

/// Answers one request.
fn answer(folder: &Path, request: Request) -> io::Result<()> {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return request.respond(plain(405, "only GET and HEAD").with_header(header("Allow", "GET, HEAD")));
    }
    let resource = match Resource::find(folder, request.url()) {
        Ok(resource) => resource,
        Err(refusal) => return request.respond(plain(refusal.status(), &refusal.to_string())),
    };
    let common = [
        header("Content-Type", resource.mime()),
        header("Cache-Control", "no-cache"),
        header("ETag", &resource.etag),
        header("Accept-Ranges", "bytes"),
        header("X-Content-Type-Options", "nosniff"),
    ];
    let asked = |name: &str| request.headers().iter().find(|h| h.field.as_str().as_str().eq_ignore_ascii_case(name)).map(|h| h.value.as_str().to_owned());
    if asked("If-None-Match").is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == resource.etag)) {
        let mut response = Response::empty(304);
        common.into_iter().for_each(|header| response.add_header(header));
        return request.respond(response);
    }
    // A range of a file that has changed since is answered with the whole of the new one.
    let same = asked("If-Range").is_none_or(|tag| tag == resource.etag);
    let range = asked("Range").filter(|_| same).map_or(Range::Whole, |text| Range::parse(&text, resource.length));
    let (status, from, length) = match range {
        Range::Whole => (200, 0, resource.length),
        Range::Part { from, to } => (206, from, to - from + 1),
        Range::Unsatisfiable => {
            let response = plain(416, "the range lies outside the file");
            return request.respond(response.with_header(header("Content-Range", &format!("bytes */{}", resource.length))));
        }
    };
    let body = File::open(&resource.path).and_then(|mut file| {
        file.seek(SeekFrom::Start(from))?;
        Ok(file.take(length))
    });
    let Ok(body) = body else { return request.respond(plain(404, "the file has gone")) };
    // The length is known: say it, rather than sending chunks, so that the page's load bar has an end.
    let size = usize::try_from(length).map_err(io::Error::other)?;
    let mut response = Response::new(StatusCode(status), common.into(), body, Some(size), None).with_chunked_threshold(usize::MAX);
    if status == 206 {
        response.add_header(header("Content-Range", &format!("bytes {from}-{}/{}", from + length - 1, resource.length)));
    }
    request.respond(response)
}

fn plain(status: u16, text: &str) -> Response<io::Cursor<Vec<u8>>> {
    Response::from_string(format!("{text}\n")).with_status_code(status).with_header(header("Cache-Control", "no-store"))
}

fn header(name: &str, value: &str) -> Header {
    // Both are ours and plain ASCII.
    Header::from_bytes(name, value).unwrap_or_else(|()| unreachable!("{name}: {value} is no header"))
}

#[cfg(test)]
mod tests;
