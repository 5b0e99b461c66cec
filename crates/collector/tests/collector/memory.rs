//! The memory of the real program when clients send as much as they may, and end no message.

use alscope_collector::receive::worker::WINDOW;
use alscope_collector_config::Limits;
use prost::Message as _;

use crate::bad_streams::framed;
use crate::process::Process;
use crate::raw_client::RawClient;
use crate::running::*;

#[tokio::test]
async fn full_windows() {
    let collector = Process::start("http: k8s-mesh, tcp: k8s-mesh");
    let limits = Limits::default();
    let mut rss = vec![collector.resident_bytes()];
    let first = framed(0, &first_message(vec![entry("10.0.0.2")]).encode_to_vec());
    let begin = std::time::Instant::now();
    let mut idle = Vec::new();
    for _ in 0..200 {
        let mut client = RawClient::connect(collector.grpc);
        let stream = client.open_stream();
        client.send(stream, &first);
        client.until_read();
        idle.push(client);
    }
    rss.push(collector.resident_bytes());
    println!(
        "{:?} idle connections {}",
        begin.elapsed(),
        (rss[1] - rss[0]) / 200
    );
    for client in &mut idle[..4] {
        for _ in 0..100 {
            let stream = client.open_stream();
            client.send(stream, &first);
        }
        client.until_read();
    }
    rss.push(collector.resident_bytes());
    println!("{:?} idle streams {}", begin.elapsed(), (rss[2] - rss[1]) / 400);
    let holders = limits.buffered_bytes / (limits.message_bytes + 1024);
    let unfinished = framed(0, &vec![0; limits.message_bytes]);
    let mut full = Vec::new();
    for number in 0..holders + 100 {
        let mut client = RawClient::connect(collector.grpc);
        let stream = client.open_stream();
        let bytes = if number < holders {
            unfinished.len() - 1
        } else {
            WINDOW as usize
        };
        client.send(stream, &unfinished[..bytes]);
        client.until_read();
        full.push(client);
        if number + 1 == holders {
            rss.push(collector.resident_bytes());
            println!(
                "{:?} holders {holders}: {}",
                begin.elapsed(),
                (rss[3] - rss[2]) / holders
            );
        }
    }
    rss.push(collector.resident_bytes());
    println!("{:?} waiters {}", begin.elapsed(), (rss[4] - rss[3]) / 100);
    println!("{rss:?}");
    panic!();
}
