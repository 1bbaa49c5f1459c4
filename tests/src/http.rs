//! Asks an endpoint, over a connection of its own.
//! Called by cluster tests. Knows as much HTTP as that takes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::daemon::PATIENCE;

/// How long a process is waited for that may be stopped, or gone.
const SOON: Duration = Duration::from_millis(500);

/// The status and the body that `GET path` on `address` (`ip:port`) is answered with.
pub fn get(address: &str, path: &str) -> (u16, String) {
    exchange(address, &get_request(path))
}

fn get_request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
}

/// The status and the body that `POST path` with a form is answered with.
pub fn post(address: &str, path: &str, form: &str) -> (u16, String) {
    let length = form.len();
    let head = "Host: x\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close";
    let request =
        format!("POST {path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{form}");
    exchange(address, &request)
}

/// The JSON that `GET path` is answered with.
pub fn get_json(address: &str, path: &str) -> serde_json::Value {
    let (status, body) = get(address, path);
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

/// The JSON that `GET path` is answered with; nothing if nobody answers soon, or not with JSON.
pub fn try_get_json(address: &str, path: &str) -> Option<serde_json::Value> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(SOON)).ok()?;
    stream.write_all(get_request(path).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

/// Sends bytes and reads until the other side closes; it may close before all are sent.
pub fn send_raw(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn exchange(address: &str, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, body.to_owned())
}
