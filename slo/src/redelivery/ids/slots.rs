//! The array of a set. Places of hashes are spread over all of it, so almost each look is at another page: a large one is
//! mapped by itself, in huge pages where the system has them, of which the processor remembers where they are.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// From so many bytes on it is mapped: a few huge pages of 2 MiB.
const LARGE: usize = 4 << 20;

/// Hashes by their places.
#[derive(Debug)]
pub(super) enum Slots {
    Small(Vec<u64>),
    Large(MmapMut),
}

impl Slots {
    /// So many, all 0.
    pub(super) fn free(places: usize) -> Slots {
        let bytes = places * size_of::<u64>();
        if bytes < LARGE {
            return Slots::Small(vec![0; places]);
        }
        match MmapMut::map_anon(bytes) {
            Ok(map) => {
                // A system without them has pages of another size: it is only slower.
                #[cfg(target_os = "linux")]
                let _ = map.advise(memmap2::Advice::HugePage);
                Slots::Large(map)
            }
            // The allocator may find room elsewhere, or ends the process as it always does.
            Err(_) => Slots::Small(vec![0; places]),
        }
    }
}

impl Default for Slots {
    fn default() -> Self {
        Slots::Small(Vec::new())
    }
}

impl Clone for Slots {
    fn clone(&self) -> Self {
        let mut copy = Slots::free(self.len());
        copy.copy_from_slice(self);
        copy
    }
}

impl Deref for Slots {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        match self {
            Slots::Small(places) => places,
            Slots::Large(map) => bytemuck::cast_slice(map),
        }
    }
}

impl DerefMut for Slots {
    fn deref_mut(&mut self) -> &mut [u64] {
        match self {
            Slots::Small(places) => places,
            Slots::Large(map) => bytemuck::cast_slice_mut(map),
        }
    }
}
