use super::*;
use crate::access::credential::Environment::{self, Live, Test};

fn fault(text: &str, environment: Environment) -> Fault {
    match parse(text, environment, &Ranges::default()) {
        Ok(url) => unreachable!("{text} was taken as {url}"),
        Err(fault) => fault,
    }
}

#[test]
fn ordinary_urls_are_taken_as_they_are() {
    for text in [
        "https://example.com/",
        "https://example.com/hooks?token=a%20b",
        "https://example.com:8443/hooks",
        "https://hooks.shop.example/a/b;c=d",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/hooks",
        "https://[2606:4700::1111]:8443/hooks",
        "https://a.local.example/",
        "https://mylocalhost.example/",
        "https://internal.example/",
    ] {
        for environment in [Live, Test] {
            assert_eq!(parse(text, environment, &Ranges::default()).map(String::from).as_deref(), Ok(text));
        }
    }
    assert_eq!(
        parse("HTTPS://Bücher.Example", Live, &Ranges::default()).map(String::from).as_deref(),
        Ok("https://xn--bcher-kva.example/")
    );
    assert_eq!(
        parse("https://example.com:443/", Live, &Ranges::default()).map(String::from).as_deref(),
        Ok("https://example.com/")
    );
}

/// Each of these is another spelling of an address or a name that webhooks must not go to.
const HOSTILE_HOSTS: [&str; 83] = [
    // Loopback, as inet_aton reads it.
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0x7f.1",
    "0x7f000001",
    "0x7F.0x0.0x0.0x1",
    "2130706433",
    "017700000001",
    "0177.1",
    "0177.0.0.01",
    "127.0.0.1.",
    "127.255.255.254",
    "0x7f.0.0.0x01",
    "00000177.0.0.1",
    "127.0x1",
    "127.65535",
    // In full-width and other digits, which IDNA maps to ASCII; also percent-encoded.
    "１２７.０.０.１",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "127．0．0．1",
    "127｡0｡0｡1",
    "𝟭𝟮𝟳.0.0.1",
    "%31%32%37.0.0.1",
    "127.0.0.%31",
    "１２７.１",
    // The network itself, and broadcast.
    "0",
    "0.0.0.0",
    "0x0",
    "00",
    "0.1",
    "255.255.255.255",
    "4294967295",
    "0xffffffff",
    // Private and link-local networks, and clouds' metadata.
    "10.0.0.1",
    "10.1",
    "0xa.1",
    "012.1",
    "167772161",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.1",
    "0xc0a80001",
    "3232235521",
    "169.254.169.254",
    "169.254.43518",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    // IPv6, and IPv4 within IPv6.
    "[::]",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000::0001]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:53aa:64c:0:0:80ff:fffe]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fec0::1]",
    "[ff02::1]",
    "[100::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[5f00::1]",
    "[2001:10::1]",
    "[2001:20::1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:10.0.0.1]",
    "[::ffff:8.8.8.8]",
];

#[test]
fn an_address_is_refused_however_it_is_spelled() {
    for host in HOSTILE_HOSTS {
        for suffix in ["/", "", "/hooks", ":8443/hooks", "?q"] {
            let text = format!("https://{host}{suffix}");
            assert_eq!(fault(&text, Live), Fault::DeniedAddress, "{text}");
        }
    }
}

#[test]
fn names_without_a_public_meaning_are_refused() {
    for host in [
        "localhost",
        "LOCALHOST",
        "LocalHost",
        "ｌocalhost",
        "loc\u{ad}alhost",
        "%6cocalhost",
        "a.localhost",
        "a.b.LOCALHOST",
        "intranet",
        "db",
        "kubernetes",
        "ip6-localhost",
        "printer.local",
        "metadata.google.internal",
        "host.docker.internal",
        "instance-data.ec2.internal",
        "a.INTERNAL",
        "a。internal",
        "router.home.arpa",
        "home.arpa",
        "x.alt",
    ] {
        assert_eq!(fault(&format!("https://{host}/"), Live), Fault::PrivateName, "{host}");
    }
    for host in ["db", "printer.local", "metadata.google.internal"] {
        assert_eq!(fault(&format!("https://{host}/"), Test), Fault::PrivateName, "{host}");
    }
}

#[test]
fn hosts_that_are_none_are_refused() {
    let long_label = format!("{}.example", "a".repeat(64));
    let long_name = vec!["abcdefg"; 33].join(".");
    for host in [
        "",
        ".",
        "..",
        "a..example",
        ".example.com",
        "example.com.",
        "localhost.",
        "a.localhost.",
        "printer.local.",
        "1.2.3.4.5",
        "256.256.256.256",
        "127.0.0.256",
        "4294967296",
        "0x100000000",
        "1.2.3.08",
        "foo.0x",
        "[::1",
        "::1",
        "[fe80::1%25eth0]",
        "[v1.a]",
        "[127.0.0.1]",
        "a%00b.example",
        "a%2fb.example",
        "a%40b.example",
        "a<b.example",
        "a^b.example",
        "%zz.example",
        "example.com:65536",
        "example.com:x",
        "example.com:-1",
        "xn--zzz--.example",
        &long_label,
        &long_name,
    ] {
        for environment in [Live, Test] {
            assert_eq!(fault(&format!("https://{host}/"), environment), Fault::Host, "{host}");
        }
    }
}

#[test]
fn only_https_is_spoken() {
    for text in [
        "",
        "/",
        "//example.com/",
        "example.com",
        "example.com/hooks",
        "https",
        "https:",
        "https:example.com",
        "https:/example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "javascript:alert(1)",
        "data:text/plain,x",
        "ws://example.com/",
        "unix:///run/x.sock",
        "httpss://example.com/",
        "jar:https://example.com!/",
        "view-source:https://example.com/",
    ] {
        for environment in [Live, Test] {
            assert_eq!(fault(text, environment), Fault::NotHttps, "{text}");
        }
    }
    for text in ["http://example.com/", "HTTP://example.com/", "http://8.8.8.8/"] {
        for environment in [Live, Test] {
            assert_eq!(fault(text, environment), Fault::Http, "{text}");
        }
    }
    for text in
        ["https:///example.com/", "https:////example.com/", "https://?example.com", "https://#example.com", "https://"]
    {
        assert_eq!(fault(text, Live), Fault::Host, "{text}");
    }
}

#[test]
fn what_another_reader_may_take_for_the_host_is_refused() {
    for text in [
        "https://user@example.com/",
        "https://user:password@example.com/",
        "https://@example.com/",
        "https://:@example.com/",
        "https://example.com@127.0.0.1/",
        "https://example.com:80@127.0.0.1/",
        "https://a@b@example.com/",
        "https://127.0.0.1@example.com/",
    ] {
        assert_eq!(fault(text, Live), Fault::UserInformation, "{text}");
    }
    for text in [
        "https://example.com\\@127.0.0.1/",
        "https:\\\\example.com\\",
        "https://example.com\\.evil.example/",
        " https://example.com/",
        "https://example.com/ ",
        "https://exa mple.com/",
        "https://exa\tmple.com/",
        "https://example.com/\r\nHost: x",
        "https://example.com/\0",
        "\u{feff} https://example.com/",
        "https://example.com/\u{a0}",
        "https://example.com/\u{2028}",
        "https://example.com/\u{85}",
        "ht\ntps://example.com/",
    ] {
        assert_eq!(fault(text, Live), Fault::Characters, "{text:?}");
    }
    for text in [
        "https://example.com/#",
        "https://example.com/#a",
        "https://example.com#@127.0.0.1/",
        "https://example.com/?a#b",
    ] {
        assert_eq!(fault(text, Live), Fault::Fragment, "{text}");
    }
}

#[test]
fn a_test_may_run_on_the_relay_s_machine() {
    for host in
        ["localhost", "shop.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "0x7f.1", "localhost:3000", "127.0.0.1:8080"]
    {
        for scheme in ["http", "https"] {
            let text = format!("{scheme}://{host}/hooks");
            assert!(parse(&text, Test, &Ranges::default()).is_ok(), "{text}");
            assert!(parse(&text, Live, &Ranges::default()).is_err(), "{text}");
        }
    }
    for host in [
        "10.0.0.1",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "192.168.0.1",
        "128.0.0.1.nip.internal",
    ] {
        assert!(parse(&format!("http://{host}/"), Test, &Ranges::default()).is_err(), "{host}");
        assert!(parse(&format!("https://{host}/"), Test, &Ranges::default()).is_err(), "{host}");
    }
}

#[test]
fn ports_of_other_protocols_are_refused() {
    for port in BAD_PORTS {
        assert_eq!(fault(&format!("https://example.com:{port}/"), Live), Fault::Port, "{port}");
        assert_eq!(fault(&format!("http://localhost:{port}/"), Test), Fault::Port, "{port}");
    }
    for port in [80, 443, 3000, 5432, 6379, 8080, 8443, 9200, 65535] {
        assert!(parse(&format!("https://example.com:{port}/"), Live, &Ranges::default()).is_ok(), "{port}");
    }
    assert!(BAD_PORTS.is_sorted());
}

#[test]
fn a_url_has_at_most_2048_bytes() {
    let of_length = |length: usize| format!("https://example.com/{}", "a".repeat(length - 20));
    assert!(parse(&of_length(2048), Live, &Ranges::default()).is_ok());
    assert_eq!(fault(&of_length(2049), Live), Fault::TooLong);
    assert_eq!(
        fault(&format!("https://example.com/{}", "é".repeat(1015)), Live),
        Fault::TooLong,
        "of bytes, not letters"
    );
}

#[test]
fn a_fault_says_what_to_do_and_never_repeats_the_url() {
    assert_eq!(fault("ftp://secret.example/token", Live).to_string(), "must be an https URL");
    let refused =
        "must not have a private or reserved address that checkout_sessions.webhook_allowed_ranges does not allow";
    assert_eq!(fault("https://10.0.0.7/token", Live).to_string(), refused);
    assert_eq!(fault(&"a".repeat(9999), Live).to_string(), "must have at most 2048 bytes");
}

#[test]
fn a_private_range_that_is_allowed_can_be_named() {
    let allowed: Ranges = "10.1.0.0/16".parse().expect("a range");
    for text in ["https://10.1.2.3/", "https://payments.internal/", "https://payments/"] {
        assert_eq!(parse(text, Live, &Ranges::default()).ok(), None, "{text}");
        assert!(parse(text, Live, &allowed).is_ok(), "{text}");
    }
    assert_eq!(parse("https://10.2.2.3/", Live, &allowed), Err(Fault::DeniedAddress));
    assert_eq!(parse("http://10.1.2.3/", Live, &allowed), Err(Fault::Http));
}
