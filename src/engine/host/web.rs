//! Health and metrics over HTTP, for whoever watches a service.
//!
//! Two addresses without parameters, answered with a closed connection: that needs no HTTP library. What a caller may
//! cost is bounded in bytes, in time and in connections.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::{health, metrics};
use crate::engine::writer::Engine;

/// Bytes of a request's head at most.
const LARGEST_HEAD: usize = 8 * 1024;
/// How long a caller may take to ask and to listen.
const PATIENCE: Duration = Duration::from_secs(2);
/// Callers at the same time; more wait in the listener's queue.
const CALLERS: usize = 8;
/// How long to wait after a connection could not be accepted.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(50);

/// Answers until `closing` holds true.
pub(super) async fn serve(listener: TcpListener, engine: Engine, mut closing: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(CALLERS));
    let answer_all = async {
        // It is never closed.
        while let Ok(place) = places.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let engine = engine.clone();
                    tokio::spawn(async move {
                        // A caller that is too slow or goes away gets no answer.
                        let _ = tokio::time::timeout(PATIENCE, answer(stream, &engine)).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!("a caller of the metrics could not be accepted: {error}");
                    tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
                }
            }
        }
    };
    tokio::select! {
        () = answer_all => {}
        // An error means that the handle is gone, which asks for the same.
        _ = closing.wait_for(|closing| *closing) => {}
    }
}

async fn answer(mut stream: TcpStream, engine: &Engine) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut part = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < LARGEST_HEAD {
        let read = stream.read(&mut part).await?;
        if read == 0 {
            break;
        }
        head.extend_from_slice(part.get(..read).unwrap_or_default());
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let said = respond(&String::from_utf8_lossy(line), engine);
    stream.write_all(said.as_bytes()).await?;
    stream.shutdown().await
}

/// The whole response to the first line of a request.
fn respond(line: &str, engine: &Engine) -> String {
    let mut words = line.split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let plain = "text/plain; charset=utf-8";
    let path = target.unwrap_or_default().split('?').next().unwrap_or_default();
    let (status, kind, body) = match (method, path) {
        _ if !version.is_some_and(|version| version.starts_with("HTTP/1.")) => {
            ("400 Bad Request", plain, "This is an HTTP/1 address.\n".to_owned())
        }
        (Some("GET" | "HEAD"), "/metrics") => ("200 OK", metrics::CONTENT_TYPE, metrics::render(engine)),
        (Some("GET" | "HEAD"), "/healthz") => match health::of(engine).trouble() {
            None => ("200 OK", plain, "ok\n".to_owned()),
            Some(trouble) => ("503 Service Unavailable", plain, format!("{trouble}\n")),
        },
        (Some("GET" | "HEAD"), _) => ("404 Not Found", plain, "There are /healthz and /metrics.\n".to_owned()),
        _ => ("405 Method Not Allowed", plain, "Only GET and HEAD.\n".to_owned()),
    };
    let length = body.len();
    let body = if method == Some("HEAD") { String::new() } else { body };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
         Connection: close\r\n\r\n{body}"
    )
}
