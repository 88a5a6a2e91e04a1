//! Frames, however their bytes are cut.

use super::wire::{Frame, FrameError, Frames};
use proptest::prelude::*;

#[test]
fn too_long_a_frame_is_refused_before_it_is_held() {
    let mut frames = Frames::default();
    frames.push(&u32::MAX.to_be_bytes());
    assert_eq!(frames.pop(), Err(FrameError::Length(u32::MAX as usize)));
    let mut frames = Frames::default();
    frames.push(&[0, 0, 0, 1, 99]);
    assert!(matches!(frames.pop(), Err(FrameError::Form(_))));
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_frames(
        texts in proptest::collection::vec("[a-zé]{0,9}", 0..6),
        cut in 1usize..7,
    ) {
        let sent: Vec<Frame> = texts.into_iter().map(Frame::Text).collect();
        let bytes: Vec<u8> = sent.iter().flat_map(Frame::packed).collect();
        let (mut frames, mut read) = (Frames::default(), Vec::new());
        for piece in bytes.chunks(cut) {
            frames.push(piece);
            while let Some(frame) = frames.pop().unwrap() {
                read.push(frame);
            }
        }
        prop_assert_eq!(read, sent);
    }
}
