//! AES-128, encryption direction, with an expanded key schedule.

use core::fmt;

use aes::Aes128Enc;
use aes::cipher::consts::U16;
use aes::cipher::{
    Block, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit,
};

use super::Work;

/// An expanded AES-128 key (FIPS 197).
#[derive(Clone)]
pub struct AesKey(Aes128Enc);

/// A computation that encrypts blocks one after the other.
pub(crate) trait BlockMode {
    /// What it computes.
    type Output;

    /// Computes it; `encrypt` encrypts a block in place and counts it.
    fn run(self, encrypt: impl FnMut(&mut [u8; 16])) -> Self::Output;
}

impl AesKey {
    /// Expands `key`.
    pub fn new(key: &[u8; 16], work: &mut Work) -> Self {
        work.key_schedule();
        Self(Aes128Enc::new(key.into()))
    }

    /// Encrypts `block` in place.
    #[inline]
    pub fn encrypt(&self, block: &mut [u8; 16], work: &mut Work) {
        work.aes(1);
        self.0.encrypt_block(block.into());
    }

    /// Runs `mode` under this key.
    ///
    /// The processor's AES unit is prepared once for all blocks of the mode; preparing it costs
    /// about as much as a block.
    #[inline]
    pub(crate) fn run<M: BlockMode>(&self, mode: M, work: &mut Work) -> M::Output {
        let mut output = None;
        self.0.encrypt_with_backend(Adapter {
            mode,
            output: &mut output,
            work,
        });
        output.expect("the cipher calls its closure")
    }
}

impl fmt::Debug for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesKey(redacted)")
    }
}

struct Adapter<'a, M: BlockMode> {
    mode: M,
    output: &'a mut Option<M::Output>,
    work: &'a mut Work,
}

impl<M: BlockMode> BlockSizeUser for Adapter<'_, M> {
    type BlockSize = U16;
}

impl<M: BlockMode> BlockCipherEncClosure for Adapter<'_, M> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let mut blocks = 0;
        *self.output = Some(self.mode.run(|block| {
            let block: &mut Block<Self> = block.into();
            blocks += 1;
            backend.encrypt_block(block.into());
        }));
        self.work.aes(blocks);
    }
}
