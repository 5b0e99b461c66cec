use proptest::prelude::*;
use rstest::rstest;

use super::*;

const BOUNDS: QueueBounds = QueueBounds {
    batches: 100,
    bytes: 1000,
};

fn batch(entries: u64, bytes: usize) -> Batch {
    Batch {
        bytes: vec![b'x'; bytes],
        entries,
    }
}

fn counts(counted: &QueueCounter) -> [u64; 5] {
    let counts = counted.now();
    let [full, failed] = DropReason::ALL.map(|reason| counts.dropped(reason));
    [counts.queued, counts.exported, full, failed, counts.waiting]
}

#[rstest]
#[case::nothing(&[], [0, 0, 0, 0, 0])]
#[case::waiting(&[(3, 10), (4, 10)], [7, 0, 0, 0, 7])]
#[case::as_many_bytes_as_fit(&[(3, BOUNDS.bytes - 10), (4, 10)], [7, 0, 0, 0, 7])]
#[case::more_bytes_than_fit(&[(3, BOUNDS.bytes - 10), (4, 11), (5, 10)], [12, 0, 4, 0, 8])]
#[case::one_batch_of_any_size(&[(3, BOUNDS.bytes + 1)], [3, 0, 0, 0, 3])]
fn what_does_not_fit_is_dropped_and_counted(#[case] offered: &[(u64, usize)], #[case] expected: [u64; 5]) {
    let (queue, _batches) = queue(BOUNDS);
    for (entries, bytes) in offered {
        queue.offer(batch(*entries, *bytes));
    }
    assert_eq!(counts(&queue.counted()), expected);
}

#[test]
fn batches_beyond_the_bound_are_dropped() {
    let (queue, _batches) = queue(BOUNDS);
    for _ in 0..BOUNDS.batches + 2 {
        queue.offer(batch(2, 1));
    }
    let waiting = 2 * BOUNDS.batches as u64;
    assert_eq!(counts(&queue.counted()), [waiting + 4, 0, 4, 0, waiting]);
}

#[test]
fn what_can_not_be_written_is_dropped_and_counted() {
    let (queue, batches) = queue(BOUNDS);
    for entries in 1..=4 {
        queue.offer(batch(entries, 1));
    }
    let counted = queue.counted();
    drop(queue);
    let mut waiting = Vec::new();
    batches.deliver(|batch| {
        waiting.push(counted.now().waiting);
        if batch.entries == 3 {
            return Err(std::io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    });
    assert_eq!(waiting, [10, 9, 7, 4]);
    assert_eq!(counts(&counted), [10, 7, 0, 3, 0]);
}

proptest! {
    #[test]
    fn queued_is_exported_dropped_or_waiting(offered in prop::collection::vec((1_u64..9, 0_usize..6 << 20), 0..12)) {
        let (queue, batches) = queue(BOUNDS);
        let counted = queue.counted();
        let law = || {
            let [queued, exported, full, failed, waiting] = counts(&counted);
            assert_eq!(queued, exported + full + failed + waiting);
        };
        for (entries, bytes) in &offered {
            queue.offer(batch(*entries, *bytes));
            law();
        }
        drop(queue);
        batches.deliver(|batch| {
            law();
            if batch.entries.is_multiple_of(2) { Ok(()) } else { Err(std::io::ErrorKind::Other.into()) }
        });
        law();
        prop_assert_eq!(counted.now().waiting, 0);
        let offered: u64 = offered.iter().map(|(entries, _)| entries).sum();
        prop_assert_eq!(counted.now().queued, offered);
    }
}
