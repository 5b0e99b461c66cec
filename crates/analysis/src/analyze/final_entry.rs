//! Which entries end a call: only those are counted, so that nothing is counted twice.

use als_proto::CommonProperties;

use crate::accounting::Skipped;

/// How `access_log_type` (envoy `data/accesslog/v3` `AccessLogType`) is taken. Proxies before Envoy 1.26 leave it 0.
pub fn final_entry(common: &CommonProperties<'_>) -> Result<(), Skipped> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ends_of_calls_are_final() {
        let of_type = |access_log_type| {
            let mut common = CommonProperties::default();
            common.access_log_type = access_log_type;
            final_entry(&common).err()
        };
        let periodic = Some(Skipped::Periodic);
        let not_a_call = Some(Skipped::NotACall);
        let expected = [
            None, periodic, periodic, None, periodic, periodic, None, periodic, periodic, not_a_call,
            periodic, periodic, periodic, not_a_call, None,
        ];
        for (access_log_type, expected) in (0..).zip(expected) {
            assert_eq!(
                of_type(access_log_type),
                expected,
                "access_log_type {access_log_type}"
            );
        }
    }

    #[test]
    fn an_intermediate_entry_is_not_final_whatever_its_type() {
        let mut common = CommonProperties::default();
        (common.intermediate_log_entry, common.access_log_type) = (true, 6);
        assert_eq!(final_entry(&common), Err(Skipped::Periodic));
    }
}
