//! Blocks of IP addresses: a single address, or all addresses that share a prefix.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address or a CIDR block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CidrBlock {
    first: IpAddr,
    length: u8,
}

/// The error of a text that is neither an IP address nor a CIDR block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACidrBlock;

impl CidrBlock {
    /// The block of `length` leading bits that `address` lies in; `None` when the address has fewer bits.
    pub fn around(address: IpAddr, length: u8) -> Option<Self> {
        let first = match address {
            IpAddr::V4(address) => {
                let gap = 32_u32.checked_sub(length.into())?;
                let mask = u32::MAX.checked_shl(gap).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
            }
            IpAddr::V6(address) => {
                let gap = 128_u32.checked_sub(length.into())?;
                let mask = u128::MAX.checked_shl(gap).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        };
        Some(CidrBlock { first, length })
    }

    /// How many leading bits all addresses of the block share.
    pub fn length(self) -> u8 {
        self.length
    }
}

impl From<IpAddr> for CidrBlock {
    fn from(address: IpAddr) -> Self {
        let first = address.to_canonical();
        let length = if first.is_ipv4() { 32 } else { 128 };
        CidrBlock { first, length }
    }
}

impl FromStr for CidrBlock {
    type Err = NotACidrBlock;

    /// Parses `address` or `address/length`. Bits after the prefix are ignored, as in Istio.
    fn from_str(text: &str) -> Result<Self, NotACidrBlock> {
        let Some((address, length)) = text.split_once('/') else {
            return text.parse().map(IpAddr::into).map_err(|_| NotACidrBlock);
        };
        let address = address.parse().map_err(|_| NotACidrBlock)?;
        let length = length.parse().map_err(|_| NotACidrBlock)?;
        CidrBlock::around(address, length).ok_or(NotACidrBlock)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn contains(block: &str, address: &str) -> bool {
        let block: CidrBlock = block.parse().unwrap();
        CidrBlock::around(address.parse().unwrap(), block.length()) == Some(block)
    }

    #[rstest]
    // proves: directory/service-entry-block
    #[case::first("10.1.2.0/24", "10.1.2.0", true)]
    // proves: directory/service-entry-block
    #[case::last("10.1.2.0/24", "10.1.2.255", true)]
    #[case::after("10.1.2.0/24", "10.1.3.0", false)]
    #[case::before("10.1.2.0/24", "10.1.1.255", false)]
    // proves: directory/service-entry-block
    #[case::half("10.1.2.4/31", "10.1.2.5", true)]
    // proves: directory/service-entry-block
    #[case::one("10.1.2.4/32", "10.1.2.4", true)]
    #[case::another("10.1.2.4/32", "10.1.2.5", false)]
    #[case::alone("10.1.2.4", "10.1.2.4", true)]
    #[case::bits_behind_the_prefix("10.1.2.9/24", "10.1.2.200", true)]
    #[case::all("0.0.0.0/0", "203.0.113.1", true)]
    #[case::all_of_one_family("0.0.0.0/0", "fd00::1", false)]
    // proves: directory/service-entry-block
    #[case::ipv6("fd00:1::/32", "fd00:1:ffff::1", true)]
    #[case::ipv6_outside("fd00:1::/32", "fd00:2::1", false)]
    #[case::ipv6_all("::/0", "fd00::1", true)]
    #[case::mapped("::ffff:10.1.2.4", "10.1.2.4", true)]
    fn a_block_holds_what_shares_its_prefix(#[case] block: &str, #[case] address: &str, #[case] holds: bool) {
        assert_eq!(contains(block, address), holds);
    }

    #[rstest]
    #[case("")]
    #[case("example.com")]
    #[case("10.1.2.0/33")]
    #[case("10.1.2.0/-1")]
    #[case("10.1.2.0/")]
    #[case("fd00::/129")]
    fn other_texts_are_no_block(#[case] text: &str) {
        assert_eq!(text.parse::<CidrBlock>(), Err(NotACidrBlock));
    }

    proptest! {
        #[test]
        fn two_addresses_share_a_block_when_their_leading_bits_are_equal(
            (one, other) in (any::<u32>(), any::<u32>()),
            flipped in 0_u32..40,
            length in 0_u8..=32,
        ) {
            let other = if flipped < 32 { one ^ (1 << flipped) } else { other };
            let of = |bits: u32| CidrBlock::around(IpAddr::V4(Ipv4Addr::from_bits(bits)), length);
            let shared = (one ^ other).leading_zeros() >= length.into();
            prop_assert_eq!(of(one) == of(other), shared);
        }
    }
}
