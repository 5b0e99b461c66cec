//! No secret is shown: a corpus of requests made by hand, and secrets planted in every place.

#![expect(clippy::panic, reason = "a test may fail")]

use alscope_analysis::names::endpoint::{EndpointBounds, Endpoints};
use alscope_analysis::names::method::Method;
use alscope_analysis::names::redact::Redaction;
use alscope_analysis::names::target::{Request, Target};
use proptest::prelude::*;

const CORPUS: &str = include_str!("corpus/secrets.txt");

/// What is shown of `input`: redacted, and of a target also the endpoint's name.
fn shown(kind: &str, input: &str) -> Vec<String> {
    let redaction = Redaction::with_headers(["x-tenant"]);
    let mut redacted = String::new();
    match kind.split_once(' ') {
        Some(("header", name)) => redaction.header(name.as_bytes(), input.as_bytes(), &mut redacted),
        _ if kind == "authority" => redaction.authority(input.as_bytes(), &mut redacted),
        _ if kind == "target" => {
            redaction.target(input.as_bytes(), &mut redacted);
            return vec![redacted, endpoint(input)];
        }
        _ => panic!("{kind} is no kind of input"),
    }
    vec![redacted]
}

fn endpoint(path: &str) -> String {
    let mut endpoints = Endpoints::new(EndpointBounds::default(), Vec::new());
    let service = endpoints.service("web.demo");
    let mut target = Target::default();
    target.read(&Request {
        method: Method::Get,
        path: path.as_bytes(),
        is_grpc: true,
    });
    endpoints.learn(service, &target).to_string()
}

#[test]
fn no_secret_of_the_corpus_is_shown() {
    let lines = CORPUS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "));
    let mut cases = 0;
    for line in lines {
        let mut columns = line.split(" | ");
        let (Some(kind), Some(input), Some(secret), None) =
            (columns.next(), columns.next(), columns.next(), columns.next())
        else {
            panic!("{line} has not three columns");
        };
        assert!(
            input.contains(secret) || input.contains('%'),
            "{line} has no secret"
        );
        for shown in shown(kind, input) {
            assert!(!shown.contains(secret), "{line}: {shown}");
        }
        cases += 1;
    }
    assert_eq!(cases, 97);
}

/// A place for a secret, with what `SECRET` stands for.
const PLACES: &[(&str, &str)] = &[
    ("target", "/a?SECRET"),
    ("target", "/a?b=SECRET"),
    ("target", "/a?b=SECRET&c=d"),
    ("target", "/a?SECRET&c=d"),
    ("target", "/a?b;SECRET"),
    ("target", "/a?b=c?SECRET"),
    ("target", "/a#SECRET"),
    ("target", "/a?b=c#SECRET"),
    ("target", "/a;SECRET/b"),
    ("target", "/a;b=SECRET/c"),
    ("target", "/a=SECRET/c"),
    ("target", "/a%3FSECRET"),
    ("target", "/a%253Fb%253DSECRET"),
    ("target", "http://SECRET@host/a"),
    ("target", "http://user:SECRET@host/a"),
    ("target", "http://user:SECRET@host"),
    ("target", "/proxy/https://user:SECRET@host/a"),
    ("target", "/proxy/https:%2F%2Fuser:SECRET@host/a"),
    ("target", "user:SECRET@host:443"),
    ("target", "/users/SECRET@example.com"),
    ("target", "/users/x.SECRET%40example.com/y"),
    ("target", "/reset/eyJhbGciOiJub25lIn0.SECRET.c2ln"),
    ("target", "/reset/eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.SECRET"),
    ("target", "/auth/Bearer%20SECRET"),
    ("target", "/ci/ghp_SECRETSECRET"),
    ("target", "/a?eyJhbGciOiJub25lIn0.SECRET.c2ln=b"),
    ("target", "/a?SECRET@example.com=b"),
    ("authority", "SECRET@host"),
    ("authority", "user:SECRET@host:80"),
    ("authority", "user%3ASECRET%40host"),
    ("header authorization", "SECRET"),
    ("header proxy-authorization", "Basic SECRET"),
    ("header cookie", "a=b; SECRET=c"),
    ("header set-cookie", "a=SECRET; Path=/"),
    ("header x-tenant", "SECRET"),
    ("header x-api-key", "SECRET"),
    ("header referer", "https://user:SECRET@host/"),
    ("header referer", "https://host/a?b=SECRET"),
    ("header :path", "/a?SECRET"),
    ("header host", "SECRET@host"),
    ("header x-any", "Bearer SECRET"),
    ("header x-any", "password=SECRET"),
    ("header x-any", "{\"token\": \"SECRET\"}"),
    ("header x-any", "is eyJhbGciOiJub25lIn0.SECRET.c2ln"),
    ("header x-any", "SECRET@example.com"),
    ("header x-any", "user:SECRET@host"),
];

proptest! {
    #[test]
    fn a_planted_secret_is_shown_nowhere(secret in "[A-Za-z0-9_-]{7,40}[0-9]") {
        for (kind, place) in PLACES {
            let input = place.replace("SECRET", &secret);
            for shown in shown(kind, &input) {
                prop_assert!(!shown.contains(&secret), "{} of {}", shown, input);
            }
        }
    }
}
