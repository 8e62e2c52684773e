//! Picks among what there is, uniform and the same in every run (splitmix64).

/// Numbers in no order.
#[derive(Clone, Debug)]
pub struct Picks(u64);

impl Picks {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `count`.
    #[inline]
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.number()) * count as u128) >> 64) as usize
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
