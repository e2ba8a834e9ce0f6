//! Tests with receivers that speak HTTP/2, frame by frame.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_rustls::server::TlsStream;

use super::attempt::{Attempt, Outcome};
use super::sender_tests::{LOCAL, delivery, sender_with, tls_acceptor};

const TIMEOUT: Duration = Duration::from_secs(15);
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM_AND_HEADERS: u8 = 5;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Sends one request to a receiver that runs `answer` when the request has come. Returns the attempt, and the number
/// of requests that the receiver has seen.
async fn exchange<F: Future<Output = io::Result<()>> + Send>(
    answer: impl Fn(TlsStream<TcpStream>) -> F + Send + Sync + 'static,
) -> (Attempt, usize) {
    let (acceptor, pem) = tls_acceptor("localhost", 4000, &["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let (answer, requests) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    let seen = requests.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let (answer, seen) = (answer.clone(), seen.clone());
            tokio::spawn(async move {
                let mut received = Vec::new();
                stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
                while !received.ends_with(b"{\"amount\": 1}") {
                    stream.read_buf(&mut received).await?;
                }
                seen.fetch_add(1, Ordering::SeqCst);
                answer(stream).await
            });
        }
    });
    let sender = sender_with(TIMEOUT, LOCAL, Some(pem));
    let attempt = sender.send(&delivery(&format!("https://localhost:{port}/"))).await;
    (attempt, requests.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_receiver_may_take_its_time_and_answer_no_ping_meanwhile() {
    let (attempt, requests) = exchange(|mut stream| async move {
        sleep(Duration::from_secs(12)).await;
        // :status 204
        stream.write_all(&frame(HEADERS, END_STREAM_AND_HEADERS, 1, &[0x89])).await?;
        sleep(TIMEOUT).await;
        Ok(())
    })
    .await;
    assert_eq!((attempt.status, attempt.error, requests), (Some(204), None, 1));
}

#[tokio::test]
async fn what_a_receiver_may_have_had_is_not_sent_again_unnoticed() {
    let goaway = |last: u32| frame(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat());
    let closed = "connection closed before the response was complete";
    let gone = "the server closed the connection before the response was complete (HTTP/2 GOAWAY)";
    let refused = "the server gave the request up (HTTP/2 RST_STREAM)";
    // The receiver: says that it will answer, and goes; says that it has not looked at the request; refuses it.
    for (frames, error) in [
        (goaway(1), closed),
        ([goaway(1), goaway(0)].concat(), gone),
        (goaway(0), gone),
        (frame(RST_STREAM, 0, 1, &7_u32.to_be_bytes()), refused),
    ] {
        let (attempt, requests) = exchange(move |mut stream| {
            let frames = frames.clone();
            async move {
                stream.write_all(&frames).await?;
                stream.shutdown().await
            }
        })
        .await;
        assert_eq!((attempt.status, attempt.outcome, requests), (None, Outcome::Closed, 1));
        assert_eq!(attempt.error.as_deref(), Some(error));
    }
}

#[tokio::test]
async fn headers_that_are_too_large_are_called_so() {
    let (attempt, _) = exchange(|mut stream| async move {
        // :status 200, and headers of a name of one byte and a value of 126.
        let header = [&[0x00, 1, b'x', 126][..], &[b'y'; 126]].concat();
        let head = [vec![0x88], header.repeat(120)].concat();
        stream.write_all(&frame(HEADERS, END_STREAM_AND_HEADERS, 1, &head)).await?;
        sleep(TIMEOUT).await;
        Ok(())
    })
    .await;
    assert_eq!(attempt.error.as_deref(), Some("the response is not HTTP/2, or has too large headers"));
}
