//! Decides which entries end a call. Only those are counted, so that nothing is counted twice.

use als_proto::CommonProperties;

use super::long_lived::METHOD_CONNECT;
use crate::accounting::Skipped;
use crate::role::Role;

/// Accepts an entry that ends a call, by `access_log_type` (envoy `data/accesslog/v3` `AccessLogType`). Proxies before Envoy 1.26
/// leave it 0.
pub fn check_is_final(common: &CommonProperties<'_>) -> Result<(), Skipped> {
    if common.intermediate_log_entry {
        return Err(Skipped::Periodic);
    }
    match common.access_log_type {
        // TcpUpstreamConnected, TcpPeriodic, DownstreamStart, DownstreamPeriodic, UpstreamPoolReady, UpstreamPeriodic,
        // DownstreamTunnelSuccessfullyEstablished, UdpTunnelUpstreamConnected, UdpPeriodic
        1 | 2 | 4 | 5 | 7 | 8 | 10 | 11 | 12 => Err(Skipped::Periodic),
        // UpstreamEnd is one attempt of a request whose DownstreamEnd is logged too; UdpSessionEnd is no call
        9 | 13 => Err(Skipped::NotACall),
        // NotSet, TcpConnectionEnd, DownstreamEnd, and types that this version does not know
        _ => Ok(()),
    }
}

/// Refuses the request that opens an HBONE tunnel at a waypoint: what goes through the tunnel has entries of its own. A CONNECT of
/// a client has a cluster.
pub fn check_is_no_tunnel(role: Role, common: &CommonProperties<'_>, method: i32) -> Result<(), Skipped> {
    if method == METHOD_CONNECT && role == Role::Waypoint && common.upstream_cluster.is_empty() {
        return Err(Skipped::NotACall);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const PERIODIC: Option<Skipped> = Some(Skipped::Periodic);
    const NOT_A_CALL: Option<Skipped> = Some(Skipped::NotACall);

    #[rstest]
    // proves: final/not-set
    #[case::not_set(0, None)]
    // proves: final/start
    #[case::tcp_upstream_connected(1, PERIODIC)]
    // proves: final/periodic
    #[case::tcp_periodic(2, PERIODIC)]
    // proves: final/end
    #[case::tcp_connection_end(3, None)]
    // proves: final/start
    #[case::downstream_start(4, PERIODIC)]
    // proves: final/periodic
    #[case::downstream_periodic(5, PERIODIC)]
    // proves: final/end
    #[case::downstream_end(6, None)]
    // proves: final/start
    #[case::upstream_pool_ready(7, PERIODIC)]
    // proves: final/periodic
    #[case::upstream_periodic(8, PERIODIC)]
    // proves: final/upstream-end
    #[case::upstream_end(9, NOT_A_CALL)]
    // proves: final/tunnel-established
    #[case::downstream_tunnel_successfully_established(10, PERIODIC)]
    // proves: final/start
    #[case::udp_tunnel_upstream_connected(11, PERIODIC)]
    // proves: final/periodic
    #[case::udp_periodic(12, PERIODIC)]
    // proves: final/udp
    #[case::udp_session_end(13, NOT_A_CALL)]
    // proves: final/unknown-type
    #[case::a_later_type(14, None)]
    fn only_ends_of_calls_are_final(#[case] access_log_type: i32, #[case] expected: Option<Skipped>) {
        let mut common = CommonProperties::default();
        common.access_log_type = access_log_type;
        assert_eq!(check_is_final(&common).err(), expected);
    }

    // proves: final/intermediate
    #[test]
    fn an_intermediate_entry_is_not_final_whatever_its_type() {
        let mut common = CommonProperties::default();
        (common.intermediate_log_entry, common.access_log_type) = (true, 6);
        assert_eq!(check_is_final(&common), Err(Skipped::Periodic));
    }

    #[rstest]
    // proves: k8s-mesh/tunnel-connect
    #[case::opens_a_tunnel(Role::Waypoint, "", METHOD_CONNECT, NOT_A_CALL)]
    #[case::a_clients_own(
        Role::Waypoint,
        "inbound-vip|80|http|web.demo.svc.cluster.local",
        METHOD_CONNECT,
        None
    )]
    #[case::refused_by_a_gateway(Role::Gateway, "", METHOD_CONNECT, None)]
    #[case::another_method(Role::Waypoint, "", 1, None)]
    fn only_the_request_for_a_tunnel_is_no_call(
        #[case] role: Role,
        #[case] cluster: &str,
        #[case] method: i32,
        #[case] expected: Option<Skipped>,
    ) {
        let mut common = CommonProperties::default();
        common.upstream_cluster = cluster.as_bytes();
        assert_eq!(check_is_no_tunnel(role, &common, method).err(), expected);
    }
}
