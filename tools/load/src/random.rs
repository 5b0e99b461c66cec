//! Numbers that look random and are the same in every run.

/// Steele, Lea and Flood's `SplitMix64`.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// Numbers that differ with `seed`.
    pub fn new(seed: usize) -> Self {
        Random(seed as u64)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) as u32 % limit.max(1)
    }
}
