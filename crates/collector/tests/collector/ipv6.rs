//! Connections over IPv6 and IPv4 to a collector that listens on `[::]`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::running::*;

const BOTH: [IpAddr; 2] = [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)];

#[tokio::test]
async fn a_collector_that_listens_on_any_address_takes_both_families() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = configuration(folder.path(), "");
    let any: SocketAddr = "[::]:0".parse().unwrap();
    (config.listen.grpc, config.listen.admin) = (any, any);
    let collector = Collector::running(config, folder).await;
    assert!(collector.grpc.is_ipv6() && collector.admin.is_ipv6());
    for (family, received) in BOTH.into_iter().zip([1.0, 2.0]) {
        let grpc = SocketAddr::new(family, collector.grpc.port());
        let mut client = client(grpc).await;
        let messages = futures::stream::iter([first_message(vec![entry("10.0.0.2")])]);
        client.stream_access_logs(messages).await.unwrap();
        collector
            .until_sample("alscope_entries_received_total", received)
            .await;
    }
    for family in BOTH {
        let admin = SocketAddr::new(family, collector.admin.port());
        assert_eq!(collector.get(admin, "/livez").await.0, 200, "{family}");
    }
    collector.stop().await;
}
