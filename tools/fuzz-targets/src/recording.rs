//! Bytes as a recording.

use als_proto::{RecordedMessage, Recording};

/// Bytes as a recording of streams: what is read of it, written and read again is the same.
pub fn recording(bytes: &[u8]) {
    let Ok(recording) = Recording::read(bytes) else {
        return;
    };
    let records: Vec<RecordedMessage<'_>> = recording.map_while(Result::ok).collect();
    let mut written = Recording::BEGINNING.to_vec();
    for record in &records {
        record.write(&mut written);
    }
    let again = Recording::read(&written).expect("what is written is a recording");
    let again: Result<Vec<_>, _> = again.collect();
    assert_eq!(again, Ok(records));
}
