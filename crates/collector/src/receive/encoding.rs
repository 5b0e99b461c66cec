//! Decompression of messages. They are plain or gzip (RFC 1952), and decompress to no more than
//! the limit of a message.

use std::io::Read as _;

use alscope_analysis::accounting::Rejected;
use flate2::bufread::GzDecoder;
use http::HeaderValue;

/// The header `grpc-accept-encoding` of an answer.
pub const ACCEPTED: HeaderValue = HeaderValue::from_static("identity,gzip");

/// The encoding of a stream's compressed messages, from the request's header `grpc-encoding`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// No compression. No message may say that it is compressed.
    Identity,
    /// gzip. Each message says whether it is compressed.
    Gzip,
}

impl Encoding {
    /// Parses the header. Returns `None` for an encoding that is not served.
    pub fn named(header: Option<&HeaderValue>) -> Option<Self> {
        match header.map(HeaderValue::as_bytes) {
            None | Some(b"identity") => Some(Encoding::Identity),
            Some(b"gzip") => Some(Encoding::Gzip),
            Some(_) => None,
        }
    }
}

/// Returns the size of the buffer for a decompressed message, at most `limit` bytes.
pub fn decompressed_bytes(compressed: &[u8], limit: usize) -> usize {
    // A gzip file ends with the size of its content. It may lie, so it decides about the buffer only.
    let size = compressed
        .last_chunk()
        .map_or(0, |size| u32::from_le_bytes(*size));
    usize::try_from(size).map_or(limit, |size| size.min(limit))
}

/// Decompresses a gzip message into a buffer of its size. A message of more than `limit` bytes is rejected.
pub fn decompress(compressed: &[u8], limit: usize) -> Result<Vec<u8>, Rejected> {
    let size = decompressed_bytes(compressed, limit);
    let mut message = vec![0; size];
    let mut decoder = GzDecoder::new(compressed);
    let filled = decoder.read_exact(&mut message);
    filled.map_err(|_| Rejected::Compression)?;
    // The decoder compares the checksum only when it reads past the end.
    match decoder.read(&mut [0]) {
        Ok(0) if decoder.into_inner().is_empty() => Ok(message),
        Ok(1..) if size == limit => Err(Rejected::MessageTooLarge),
        Ok(_) | Err(_) => Err(Rejected::Compression),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[rstest]
    #[case::none(None, Some(Encoding::Identity))]
    #[case::identity(Some("identity"), Some(Encoding::Identity))]
    #[case::gzip(Some("gzip"), Some(Encoding::Gzip))]
    #[case::deflate(Some("deflate"), None)]
    #[case::two(Some("identity,gzip"), None)]
    fn encodings_are_named_by_the_header(#[case] header: Option<&str>, #[case] expected: Option<Encoding>) {
        let header = header.map(|name| HeaderValue::from_str(name).unwrap());
        assert_eq!(Encoding::named(header.as_ref()), expected);
    }

    #[test]
    fn a_message_of_exactly_the_limit_is_decompressed_and_one_byte_more_is_too_large() {
        let content = [7; 1000];
        assert_eq!(decompress(&gzip(&content), 1000), Ok(content.to_vec()));
        assert_eq!(decompress(&gzip(&content), 999), Err(Rejected::MessageTooLarge));
    }

    #[test]
    fn a_bomb_is_too_large_and_its_buffer_is_not() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 100_000);
        assert_eq!(decompress(&bomb, 1 << 20), Err(Rejected::MessageTooLarge));
        let small = decompress(&gzip(b"small"), 1 << 20).unwrap();
        assert_eq!((&*small, small.capacity()), (&b"small"[..], 5));
    }

    #[rstest]
    #[case::empty(vec![])]
    #[case::no_gzip(b"not gzip, but long enough to be".to_vec())]
    #[case::cut_off(gzip(b"content").split_off(3))]
    #[case::without_its_end({ let mut bytes = gzip(b"content"); bytes.truncate(20); bytes })]
    #[case::wrong_checksum({ let mut bytes = gzip(b"content"); let at = bytes.len() - 8; bytes[at] ^= 1; bytes })]
    #[case::more_than_it_says({ let mut bytes = gzip(b"content"); let at = bytes.len() - 4; bytes[at] -= 1; bytes })]
    #[case::less_than_it_says({ let mut bytes = gzip(b"content"); let at = bytes.len() - 4; bytes[at] += 1; bytes })]
    #[case::bytes_behind([gzip(b"content"), gzip(b"content")].concat())]
    fn broken_bytes_are_not_decompressed(#[case] bytes: Vec<u8>) {
        assert_eq!(decompress(&bytes, 1000), Err(Rejected::Compression));
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_out(content in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_eq!(decompress(&gzip(&content), 2000), Ok(content));
        }

        #[test]
        fn damaged_bytes_give_no_other_content(
            content in prop::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
            flip in 1..=255_u8,
        ) {
            let mut bytes = gzip(&content);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if let Ok(found) = decompress(&bytes, 2000) {
                prop_assert_eq!(found, content);
            }
        }
    }
}
