//! A client that shows each of many tokens once, over connections that are kept, so that a program has seen them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::tokens::Tokens;

const CONNECTIONS: usize = 64;

/// Shows the tokens at `places` at `path`, in no order, and asks for a 200 each time. How many seconds it took.
pub fn show_each(address: &str, path: &str, tokens: &Tokens, places: Range<usize>) -> Result<f64, Failure> {
    let mut connections = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let connection = TcpStream::connect(address)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        connections.push(connection);
    }
    let count = places.len();
    // A step that meets every place once, since it is a prime that is no divisor of their number.
    let step = [611_953, 1].into_iter().find(|step| !count.is_multiple_of(*step)).unwrap_or(1);
    let mut order = (0..count).map(|number| places.start + number * step % count);
    let mut buffer = [0; 4_096];
    let began = Instant::now();
    loop {
        let mut asked = 0;
        for (connection, place) in connections.iter_mut().zip(order.by_ref().take(CONNECTIONS)) {
            let token = std::str::from_utf8(tokens.get(place))?;
            let head = format!("GET {path} HTTP/1.1\r\nHost: ledger\r\nAuthorization: Bearer {token}\r\n\r\n");
            connection.write_all(head.as_bytes())?;
            asked += 1;
        }
        for connection in connections.iter_mut().take(asked) {
            read_answer(connection, &mut buffer)?;
        }
        if asked < CONNECTIONS {
            return Ok(began.elapsed().as_secs_f64());
        }
    }
}

/// Reads an answer to its end; an error unless it is a 200.
fn read_answer(connection: &mut TcpStream, buffer: &mut [u8]) -> Result<(), Failure> {
    let mut length = 0;
    loop {
        let read = connection.read(buffer.get_mut(length..).ok_or("a long answer")?)?;
        if read == 0 {
            return Err("the connection was closed".into());
        }
        length += read;
        let text = std::str::from_utf8(buffer.get(..length).unwrap_or_default())?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(format!("refused: {head}").into());
        }
        let field =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned));
        let announced: usize = field.ok_or("no length")?.trim().parse()?;
        if body.len() >= announced {
            return Ok(());
        }
    }
}
