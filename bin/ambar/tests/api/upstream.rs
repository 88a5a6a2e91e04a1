//! What engines hang on, failing each in its own way: servers that they ask, and files.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;

/// How a server fails.
#[derive(Clone, Copy, Debug)]
pub enum Failing {
    /// It says that it has too much to do.
    Busy,
    /// It says what nobody understands.
    Broken,
    /// It takes the request and says nothing.
    Silent,
}

/// Starts a server that fails; the engine that asks it.
pub fn failing(how: Failing) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let engine = format!("upstream:http://{}/v1#model", listener.local_addr().unwrap());
    thread::spawn(move || {
        let silent = Mutex::new(Vec::new());
        for stream in listener.incoming().map_while(Result::ok) {
            match how {
                Failing::Silent => silent.lock().unwrap().push(stream),
                // A client that has left hears nothing.
                _ => drop(answer(&stream, how)),
            }
        }
    });
    engine
}

fn answer(mut stream: &TcpStream, how: Failing) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
        line.clear();
    }
    reader.read_exact(&mut vec![0; length])?;
    let (status, body) = match how {
        Failing::Busy => ("429 Too Many Requests", "{}"),
        _ => ("200 OK", "no JSON"),
    };
    let kind = "content-type: application/json\r\nconnection: close";
    let head = format!("HTTP/1.1 {status}\r\n{kind}\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes())
}

/// A GGUF file of an architecture that has nothing in it.
pub fn gguf(architecture: &str) -> Vec<u8> {
    /// The number of a text among the types of values.
    const TEXT: u32 = 8;
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let (version, tensors, pairs) = (3_u32.to_le_bytes(), 0_u64.to_le_bytes(), 1_u64.to_le_bytes());
    let head = [&b"GGUF"[..], &version, &tensors, &pairs].concat();
    let pair = [&text("general.architecture")[..], &TEXT.to_le_bytes(), &text(architecture)];
    [head, pair.concat()].concat()
}
