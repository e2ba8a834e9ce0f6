//! Tests with receivers on this machine, with and without faults.

use std::io;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use super::attempt::{Attempt, Outcome};
use super::delivery::{Delivery, DeliveryKey};
use super::guard::Guard;
use super::sender::{Sender, Settings};

const TIMEOUT: Duration = Duration::from_millis(400);
pub const LOCAL: &str = "127.0.0.0/8,::1";

fn sender(allowed: &str, more_roots: Option<Vec<u8>>) -> Sender {
    sender_with(TIMEOUT, allowed, more_roots)
}

pub fn sender_with(timeout: Duration, allowed: &str, more_roots: Option<Vec<u8>>) -> Sender {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().expect("once"));
    let guard = Guard::new();
    guard.allow(allowed).map_err(|error| error.to_string()).expect("ranges");
    let settings = Settings { timeout, connect_timeout: TIMEOUT / 2, per_endpoint: 10, more_roots };
    Sender::new(&settings, guard).expect("a client")
}

pub fn delivery(url: &str) -> Delivery {
    let key = DeliveryKey { event_id: "evt_1".into(), webhook_endpoint_id: Uuid::nil(), lease_token: Uuid::nil() };
    let headers = r#"{"content-type": "application/json", "webhook-id": "evt_1", "webhook-signature": "v1,c2ln"}"#;
    let body = r#"{"amount": 1}"#.into();
    let (url, headers) = (url.into(), headers.into());
    Delivery { key, organization_id: Uuid::nil(), url, headers, body, attempt: 1, to_this_machine: false }
}

/// Answers each connection, once the request has come. Returns the port.
async fn receiver<F: Future<Output = io::Result<()>> + Send>(
    answer: impl Fn(TcpStream) -> F + Send + Sync + Clone + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = answer(stream).await;
            });
        }
    });
    port
}

async fn answering(text: impl Into<String>) -> u16 {
    let text = text.into();
    receiver(move |mut stream| {
        let text = text.clone();
        async move { stream.write_all(text.as_bytes()).await }
    })
    .await
}

async fn send_to(port: u16) -> Attempt {
    sender(LOCAL, None).send(&delivery(&format!("http://127.0.0.1:{port}/hooks?token=hunter2"))).await
}

#[tokio::test]
async fn what_the_database_gave_is_what_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let received = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut request = vec![0; 4096];
        let count = stream.read(&mut request).await?;
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await?;
        Ok::<_, io::Error>(String::from_utf8_lossy(&request[..count]).into_owned())
    });
    let attempt = send_to(port).await;
    assert_eq!((attempt.status, attempt.error, attempt.outcome), (Some(204), None, Outcome::Success));
    assert_eq!(attempt.response_body, None);
    let request = received.await.expect("ran").expect("received");
    let (head, body) = request.split_once("\r\n\r\n").expect("a head");
    assert_eq!(body, r#"{"amount": 1}"#);
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("POST /hooks?token=hunter2 HTTP/1.1"));
    let mut headers: Vec<_> = lines.map(str::to_lowercase).collect();
    headers.sort();
    let expected = [
        "accept: */*".into(),
        "content-length: 13".into(),
        "content-type: application/json".into(),
        format!("host: 127.0.0.1:{port}"),
        format!("user-agent: checkout-sessions-relay/{}", env!("CARGO_PKG_VERSION")),
        "webhook-id: evt_1".into(),
        "webhook-signature: v1,c2ln".into(),
    ];
    assert_eq!(headers, expected);
}

#[tokio::test]
async fn a_redirect_is_a_status_and_is_not_followed() {
    let visits: &AtomicUsize = Box::leak(Box::default());
    let elsewhere = receiver(move |_| async move {
        visits.fetch_add(1, Ordering::SeqCst);
        Ok(())
    })
    .await;
    for status in [301, 302, 303, 307, 308] {
        let answer =
            format!("HTTP/1.1 {status} Moved\r\nlocation: http://127.0.0.1:{elsewhere}/\r\ncontent-length: 0\r\n\r\n");
        let attempt = send_to(answering(answer).await).await;
        assert_eq!((attempt.status, attempt.outcome, attempt.error), (Some(status), Outcome::Redirect, None));
    }
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn retry_after_and_the_beginning_of_the_body_are_reported() {
    let body = "é\0".repeat(3000);
    let answer = format!("HTTP/1.1 503 Busy\r\nretry-after: 120\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let attempt = send_to(answering(answer).await).await;
    assert_eq!((attempt.status, attempt.retry_after), (Some(503), Some(Duration::from_secs(120))));
    assert_eq!(attempt.response_body, Some("é".repeat(1000)));
}

#[tokio::test]
async fn of_a_huge_body_only_the_beginning_is_read() {
    let (report, mut written) = mpsc::unbounded_channel();
    let port = receiver(move |mut stream| {
        let report = report.clone();
        async move {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await?;
            let (chunk, mut count) = (vec![b'a'; 64 * 1024], 0);
            while stream.write_all(&chunk).await.is_ok() {
                count += chunk.len();
            }
            let _ = report.send(count);
            Ok(())
        }
    })
    .await;
    let attempt = send_to(port).await;
    assert_eq!((attempt.status, attempt.error, attempt.response_body), (Some(200), None, Some("a".repeat(1000))));
    // The sockets' buffers take some of it, which is never read.
    let written = written.recv().await.expect("the connection was closed");
    assert!(written < 50_000_000, "{written} bytes");
}

#[tokio::test]
async fn a_receiver_that_says_nothing_is_given_up() {
    let port = receiver(|stream| async move {
        let _open = stream;
        std::future::pending().await
    })
    .await;
    let attempt = send_to(port).await;
    assert_eq!((attempt.status, attempt.outcome), (None, Outcome::Timeout));
    assert_eq!(attempt.error.as_deref(), Some("timed out after 0.4 s"));
    assert!(attempt.duration >= TIMEOUT && attempt.duration < TIMEOUT * 3, "{:?}", attempt.duration);
}

#[tokio::test]
async fn a_receiver_that_dribbles_is_given_up_all_the_same() {
    let dribble = |mut stream: TcpStream, head: &'static str| async move {
        stream.write_all(head.as_bytes()).await?;
        loop {
            stream.write_all(b"a").await?;
            sleep(Duration::from_millis(20)).await;
        }
    };
    let within_head = receiver(move |stream| dribble(stream, "HTTP/1.1 200 OK\r\nx: ")).await;
    let attempt = send_to(within_head).await;
    assert_eq!((attempt.status, attempt.outcome), (None, Outcome::Timeout));
    let within_body = receiver(move |stream| dribble(stream, "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n")).await;
    let attempt = send_to(within_body).await;
    assert_eq!((attempt.status, attempt.outcome), (Some(200), Outcome::Success), "the status is known");
    assert_eq!(attempt.error.as_deref(), Some("timed out after 0.4 s"));
    assert!(attempt.response_body.is_some_and(|body| body.starts_with("aaa")));
    assert!(attempt.duration < TIMEOUT * 3);
}

#[tokio::test]
async fn connections_that_end_early_are_told_apart() {
    let closed = "connection closed before the response was complete";
    for (answer, status, error) in [
        ("", None, closed),
        ("HTTP/1.1 200 O", None, closed),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", Some(200), closed),
        ("HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc", Some(500), closed),
        ("SSH-2.0-OpenSSH_9.2\r\n", None, "the response is not HTTP"),
        (
            &format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101)),
            None,
            "the response has more than 100 headers, or too large ones",
        ),
        ("HTTP/1.1 999 Denied\r\ncontent-length: 0\r\n\r\n", None, "the response has the status 999"),
    ] {
        let attempt = send_to(answering(answer).await).await;
        assert_eq!((attempt.status, attempt.error.as_deref()), (status, Some(error)), "{answer:?}");
    }
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound").port();
    let attempt = send_to(port).await;
    assert_eq!((attempt.outcome, attempt.error.as_deref()), (Outcome::Connect, Some("connection refused")));
}

#[tokio::test]
async fn nothing_is_sent_to_where_webhooks_must_not_go() {
    let visits: &AtomicUsize = Box::leak(Box::default());
    let port = receiver(move |_| async move {
        visits.fetch_add(1, Ordering::SeqCst);
        Ok(())
    })
    .await;
    let sender = sender("", None);
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "a.localhost"] {
        for scheme in ["http", "https"] {
            let attempt = sender.send(&delivery(&format!("{scheme}://{host}:{port}/?token=hunter2"))).await;
            assert!(matches!(attempt.outcome, Outcome::Refused | Outcome::Invalid | Outcome::Dns), "{attempt:?}");
            let error = attempt.error.expect("told");
            assert!(!error.contains("127") && !error.contains("hunter2"), "{error}");
        }
    }
    assert_eq!(visits.load(Ordering::SeqCst), 0);
    let refused = sender.send(&delivery(&format!("https://localhost:{port}/"))).await;
    assert_eq!(refused.error.as_deref(), Some("the URL's host has an address that webhooks must not go to"));
}

#[tokio::test]
async fn what_may_go_to_this_machine_goes_to_no_other() {
    let port = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let sender = sender("", None);
    let send = async |host: &str| {
        let url = format!("http://{host}:{port}/");
        sender.send(&Delivery { to_this_machine: true, ..delivery(&url) }).await
    };
    for good in ["127.0.0.1", "localhost"] {
        assert_eq!(send(good).await.status, Some(204), "{good}");
    }
    for bad in ["10.0.0.1", "169.254.169.254", "[::ffff:127.0.0.1]", "0.0.0.0", "localhost.example.com"] {
        let attempt = send(bad).await;
        assert!(matches!(attempt.outcome, Outcome::Refused | Outcome::Invalid), "{bad}: {attempt:?}");
    }
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_called_so() {
    let attempt = sender("", None).send(&delivery("https://shop.invalid/?token=hunter2")).await;
    // Without a network the look-up has another error.
    let error = attempt.error.expect("told");
    assert_eq!(attempt.outcome, Outcome::Dns, "{error}");
    assert!(error.starts_with("DNS: "), "{error}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_reported() {
    let sender = sender(LOCAL, None);
    for (url, headers) in [
        ("not a URL", "{}"),
        ("ftp://127.0.0.1/", "{}"),
        ("https://127.0.0.1/", "[]"),
        ("https://127.0.0.1/", r#"{"a b": "c"}"#),
        ("https://127.0.0.1/", r#"{"a": "b\nc"}"#),
        ("https://127.0.0.1/", r#"{"a": 1}"#),
    ] {
        let attempt = sender.send(&Delivery { headers: headers.into(), ..delivery(url) }).await;
        assert_eq!((attempt.outcome, attempt.status), (Outcome::Invalid, None), "{url} {headers}");
    }
}

/// Accepts TLS connections with a self-made certificate for `name`, which is its own authority.
pub fn tls_acceptor(name: &str, year: i32, protocols: &[&str]) -> (TlsAcceptor, Vec<u8>) {
    let key = KeyPair::generate().expect("a key");
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
    let certificate = parameters.self_signed(&key).expect("signed");
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    drop(sender("", None)); // installs the provider
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    let mut config = config.with_single_cert(vec![certificate.der().clone()], private).expect("they match");
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    (TlsAcceptor::from(std::sync::Arc::new(config)), certificate.pem().into_bytes())
}

async fn tls_receiver(name: &str, year: i32) -> (u16, Vec<u8>) {
    let (acceptor, pem) = tls_acceptor(name, year, &[]);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            }
        }
    });
    (port, pem)
}

#[tokio::test]
async fn certificates_are_checked() {
    let (port, own) = tls_receiver("localhost", 4000).await;
    let to = |host: &str| delivery(&format!("https://{host}:{port}/"));
    let attempt = sender(LOCAL, Some(own.clone())).send(&to("localhost")).await;
    assert_eq!((attempt.status, attempt.error), (Some(200), None));
    let unknown = sender(LOCAL, None).send(&to("localhost")).await;
    assert_eq!(unknown.error.as_deref(), Some("TLS: certificate is not from a trusted authority"));
    let misnamed = sender(LOCAL, Some(own)).send(&to("127.0.0.1")).await;
    assert_eq!(misnamed.error.as_deref(), Some("TLS: certificate is not valid for this name"));
    let (port, old) = tls_receiver("localhost", 2001).await;
    let expired = sender(LOCAL, Some(old)).send(&delivery(&format!("https://localhost:{port}/"))).await;
    assert_eq!(expired.error.as_deref(), Some("TLS: certificate has expired"));
    let port = answering("HTTP/1.1 200 OK\r\n\r\n").await;
    let plain = sender(LOCAL, None).send(&delivery(&format!("https://127.0.0.1:{port}/"))).await;
    assert_eq!((plain.outcome, plain.error.as_deref()), (Outcome::Tls, Some("TLS: the server does not speak TLS")));
}

#[tokio::test]
async fn a_ca_file_without_certificates_is_a_mistake() {
    drop(sender("", None)); // installs the provider
    let certified = generate_simple_self_signed(vec!["localhost".into()]).expect("a certificate");
    for (pem, good) in [("", false), ("nonsense", false), (certified.cert.pem().as_str(), true)] {
        let more_roots = Some(pem.as_bytes().to_vec());
        let settings = Settings { timeout: TIMEOUT, connect_timeout: TIMEOUT, per_endpoint: 1, more_roots };
        assert_eq!(Sender::new(&settings, Guard::new()).is_ok(), good, "{pem}");
    }
}
