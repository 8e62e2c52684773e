//! HTTP/1.1 by hand over a real socket, for servers that must be shown exactly these bytes.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::{Answer, RawRequest};

/// Longest wait for the next bytes of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends `request` to a server on a connection of its own, and waits for the whole answer. It blocks the thread.
///
/// The answer is without its `date`: when it was sent says nothing about what was answered.
///
/// # Errors
/// [`io::Error`] where no connection, or no whole answer, came about.
pub fn send_over_socket(server: impl ToSocketAddrs, request: &RawRequest) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut writing = stream.try_clone()?;
    let bytes = request.to_bytes();
    // A server that has heard enough answers, and hangs up while the rest is still being sent.
    let writer = std::thread::spawn(move || {
        let _ = writing.write_all(&bytes);
        let _ = writing.flush();
    });
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset || answer.is_empty() => return Err(error),
        _ => {}
    }
    let _ = stream.shutdown(Shutdown::Both);
    let _ = writer.join();
    parse(&answer).ok_or_else(|| {
        let shown = String::from_utf8_lossy(&answer);
        io::Error::new(ErrorKind::InvalidData, format!("no HTTP answer: {shown:.200?}"))
    })
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, rest) = answer.split_at_checked(end)?;
    let body = rest.get(4..)?;
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    headers.retain(|(name, _)| name != "date");
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if chunked { unchunked(body)? } else { body.to_vec() };
    Some(Answer { status, headers, body })
}

/// The content of a chunked body (RFC 9112 §7.1).
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let (size, after) = rest.split_at_checked(end)?;
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let (chunk, after) = after.get(2..)?.split_at_checked(size)?;
        body.extend_from_slice(chunk);
        rest = after.get(2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_whole() {
        let plain = b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"a: b\"\r\nDate: now\r\n\r\n{}";
        let answer = parse(plain).expect("an answer");
        assert_eq!((answer.status, answer.challenge(), answer.text()), (401, Some("Bearer realm=\"a: b\""), "{}"));
        assert_eq!(answer.header("date"), None);
        let chunked =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n";
        assert_eq!(parse(chunked).expect("an answer").text(), "abc0123456789");
        for broken in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1\r\n\r\n", &chunked[..60]] {
            assert!(parse(broken).is_none());
        }
    }
}
