use crate::*;
use std::vec::Vec;

fn sent(encode: impl FnOnce(&mut Writer<'_>), buffer: &mut [u8]) -> &[u8] {
    let mut writer = Writer::new(buffer);
    encode(&mut writer);
    let len = writer.bytes().unwrap().len();
    &buffer[..len]
}

const ROW: TypeRow<'static> = TypeRow {
    address: 0x7fff_1234_5678,
    module: "shop.cache",
    qualname: "Outer.Template",
    name: "Template",
    all: Count {
        n_objects: 12_310,
        size_bytes: u64::MAX,
    },
    frozen: Count {
        n_objects: 0,
        size_bytes: 1,
    },
    is_estimate: true,
    first_seen: 3,
};

#[test]
fn a_packet_is_read_as_it_was_written() {
    let mut buffer = [0; 256];
    for reply in [
        Reply::Hello,
        Reply::Type(ROW),
        Reply::Attempt(2),
        Reply::Goodbye(Goodbye::Silence),
    ] {
        let packet = sent(|w| reply.encode(w), &mut buffer);
        assert_eq!(Reply::decode(packet), Ok(reply));
    }
    let request = Request::Dump(DumpRequest {
        type_name: "Templåte",
        limit: 20,
        max_chars: 0,
        safe: true,
        object_time_limit_ms: 1000,
        time_limit_ms: 0,
    });
    let packet = sent(|w| request.encode(w), &mut buffer);
    assert_eq!(Request::decode(packet), Ok(request));
}

#[test]
fn each_cut_of_a_packet_is_refused() {
    let mut buffer = [0; 256];
    let packet = sent(|w| Reply::Type(ROW).encode(w), &mut buffer);
    for len in 0..packet.len() {
        assert!(Reply::decode(&packet[..len]).is_err(), "{len} bytes");
    }
    let mut longer = packet.to_vec();
    longer.push(0);
    assert_eq!(Reply::decode(&longer), Err(DecodeError::TooLong));
}

#[test]
fn no_packet_makes_the_reader_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..200_000 {
        let len = next() % 40;
        let mut packet: Vec<u8> = (0..len).map(|_| next() as u8).collect();
        if let Some(kind) = packet.first_mut() {
            *kind %= 14;
        }
        let _ = Reply::decode(&packet);
        let _ = Request::decode(&packet);
    }
}

#[test]
fn a_number_over_64_bits_is_refused() {
    let mut packet = std::vec![5_u8];
    packet.extend([0xff; 10]);
    assert_eq!(Reply::decode(&packet), Err(DecodeError::OutOfRange));
    let mut packet = std::vec![5_u8];
    packet.extend([0xff, 0xff, 0xff, 0xff, 0x1f]);
    assert_eq!(
        Reply::decode(&packet),
        Err(DecodeError::OutOfRange),
        "Attempt is 32 bits wide"
    );
}

#[test]
fn what_does_not_fit_is_told_and_not_written() {
    let mut small = [0; 8];
    let mut writer = Writer::new(&mut small);
    Reply::Type(ROW).encode(&mut writer);
    assert_eq!(writer.bytes(), None);
}

#[test]
fn symbols_stand_in_the_table_where_they_say() {
    for (index, symbol) in Capi::ALL.into_iter().enumerate() {
        assert_eq!(symbol as usize, index);
    }
    assert_eq!(Capi::PyGILState_Ensure.name(), "PyGILState_Ensure");
}

#[test]
fn a_knock_is_told_from_that_of_another_release_and_from_noise() {
    use crate::{KNOCK, Knock};
    assert_eq!(Knock::of(KNOCK), Knock::Ours);
    assert_eq!(Knock::of(b"leakhunt/0.0.0"), Knock::OtherVersion);
    for noise in [&b""[..], b"\x01", b"leakhun", b"GET / HTTP/1.1\r\n"] {
        assert_eq!(Knock::of(noise), Knock::Strange);
    }
}

#[test]
fn the_name_of_a_door_is_read_as_it_is_written() {
    use crate::DoorName;
    let name = DoorName {
        pid: 4121,
        start_ticks: 987_654_321_000,
    };
    let text = std::string::ToString::to_string(&name);
    assert_eq!(text, "4121-987654321000.sock");
    assert_eq!(DoorName::parse(&text), Some(name));
    for other in [
        "",
        "1-2",
        "a-1.sock",
        "1.sock",
        "1-2.sock~",
        "-.sock",
        "1--2.sock",
    ] {
        assert_eq!(DoorName::parse(other), None, "{other}");
    }
}
