//! From a request to an answer.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Take};
use std::path::Path;

use super::connection::{Answer, Body, Request};
use super::layers::Layers;
use super::range::Range;
use super::resource::Refusal;

/// Answers `request` with a file of `layers`, a part of it, or a refusal.
pub fn answer(layers: &Layers, request: &Request) -> Answer {
    if !matches!(request.method.as_str(), "GET" | "HEAD") {
        let mut refusal = Answer::refusal("405 Method Not Allowed", "only GET and HEAD");
        refusal.headers.push(("Allow", "GET, HEAD".into()));
        return refusal;
    }
    let resource = match layers.find(&request.target) {
        Ok(resource) => resource,
        Err(refusal @ Refusal::BadPath) => return Answer::refusal("400 Bad Request", &refusal.to_string()),
        Err(refusal @ Refusal::Missing) => return Answer::refusal("404 Not Found", &refusal.to_string()),
    };
    let mut headers = vec![
        ("Content-Type", resource.mime().to_owned()),
        // Kept by the browser, but never used without asking: what was built last is what is seen.
        ("Cache-Control", "no-cache".to_owned()),
        ("ETag", resource.etag.clone()),
        ("Accept-Ranges", "bytes".to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
    ];
    if request.header("If-None-Match").is_some_and(|tags| tags.split(',').any(|tag| tag.trim() == resource.etag)) {
        return Answer { status: "304 Not Modified", headers, body: Body::None };
    }
    // A range of a file that has changed since is answered with the whole of the new one.
    let same = request.header("If-Range").is_none_or(|tag| tag == resource.etag);
    let range =
        request.header("Range").filter(|_| same).map_or(Range::Whole, |text| Range::parse(text, resource.length));
    let (status, from, length) = match range {
        Range::Whole => ("200 OK", 0, resource.length),
        Range::Part { from, to } => {
            headers.push(("Content-Range", format!("bytes {from}-{to}/{}", resource.length)));
            ("206 Partial Content", from, to - from + 1)
        }
        Range::Unsatisfiable => {
            let mut refusal = Answer::refusal("416 Range Not Satisfiable", "the range lies outside the file");
            refusal.headers.push(("Content-Range", format!("bytes */{}", resource.length)));
            return refusal;
        }
    };
    match part(&resource.path, from, length) {
        Ok(file) => Answer { status, headers, body: Body::File(file, length) },
        Err(error) => Answer::refusal("404 Not Found", &format!("the file cannot be read: {error}")),
    }
}

fn part(path: &Path, from: u64, length: u64) -> io::Result<Take<File>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    Ok(file.take(length))
}
