use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixListener;

use super::peers::Peer;
use super::*;
use crate::kernel_view::descriptor_links;

#[test]
fn lines_of_the_internet_tables_are_read() {
    let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 0200000A:C350 08 00000010:00000001 00:00000000 00000000  1000        0 4711 1 0 20 4 30 10 -1
   1: 00000000:0050 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 4712 1 0
   bad line
   2: 0100007F:1F90 0200000A:C350 77 00000010:00000001 00:00000000 00000000  1000        0 4713
   3: é00007F:1F90 0200000A:C350 08 00000010:00000001 00:00000000 00000000  1000        0 4713\n";
    let found: Vec<_> = inet::sockets(table, "inet", "tcp").collect();
    assert_eq!(found.len(), 2, "{found:?}");
    let (waiting, listening) = (&found[0], &found[1]);
    assert_eq!((waiting.inode, waiting.state), (4711, State::CloseWait));
    assert_eq!(name(&waiting.local), "127.0.0.1:8080");
    assert_eq!(name(&waiting.peer), "10.0.0.2:50000");
    assert_eq!(waiting.send_queue, Some(16));
    assert_eq!(waiting.receive_queue, Some(1));
    assert_eq!((listening.state, &listening.peer), (State::Listen, &None));
    let table = "  0: 00000000000000000000000001000000:1F90 B80D0120000000000000000001000000:0035 01 0:0 0:0 0 0 0 9";
    let found: Vec<_> = inet::sockets(table, "inet6", "tcp").collect();
    assert_eq!(name(&found[0].local), "[::1]:8080");
    assert_eq!(name(&found[0].peer), "[2001:db8::1]:53");
}

#[test]
fn lines_of_the_unix_table_are_read() {
    let table = "Num       RefCount Protocol Flags    Type St Inode Path
0000000000000001: 00000002 00000000 00010000 0001 01 20 /run/my app.sock
0000000000000002: 00000003 00000000 00000000 0001 03 21
0000000000000003: 00000003 00000000 00000000 0005 03 22 @a b@
broken\n";
    let mut found = unix::sockets(table);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(name(&found[0].local), "/run/my app.sock");
    assert_eq!(found[0].state, State::Listen);
    assert_eq!(found[1].state, State::Established);
    assert_eq!((&found[1].local, &found[1].peer), (&None, &None));
    assert_eq!(
        (name(&found[2].local), &*found[2].protocol),
        ("@a b@".into(), "seqpacket")
    );
    unix::connect(
        &mut found,
        &BTreeMap::from([(21, Peer::Socket(20)), (22, Peer::Socket(99))]),
    );
    assert_eq!(name(&found[1].peer), "/run/my app.sock");
    assert_eq!((found[2].peer_inode, &found[2].peer), (Some(99), &None));
    unix::connect(&mut found, &BTreeMap::from([(21, Peer::Closed)]));
    assert_eq!(found[1].state, State::CloseWait);
}

#[test]
fn lines_of_netlink_and_packet_are_read() {
    let table =
        "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
00000000c5ede9ea 16  1234       00000000 5        6        0     2        0        562\n";
    let found = link::netlink(table);
    assert_eq!((found.len(), found[0].inode), (1, 562));
    assert_eq!(
        (&*found[0].protocol, name(&found[0].local)),
        ("generic", "port 1234".into())
    );
    assert_eq!(
        (found[0].receive_queue, found[0].send_queue),
        (Some(5), Some(6))
    );
    let table = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode
00000000c5ede9ea 3      3    0003   2     1 7      0      563\n";
    let found = link::packet(table);
    assert_eq!(
        (found.len(), found[0].inode, found[0].receive_queue),
        (1, 563, Some(7))
    );
    assert_eq!(name(&found[0].local), "protocol 0x0003 on interface 2");
}

#[test]
fn own_sockets_are_found() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    let (server, _) = listener.accept().unwrap();
    drop(client);
    let udp = UdpSocket::bind("[::1]:0").or_else(|_| UdpSocket::bind("127.0.0.1:0"));
    let udp = udp.unwrap();
    let path = std::env::temp_dir().join(format!("leakhunt-sockets-{}", std::process::id()));
    let unix = UnixListener::bind(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let bare = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )
    .unwrap();
    let own = std::process::id();
    let links = descriptor_links(own);
    let seen = kernel_sockets(own, &links);
    let of = |fd: &dyn AsFdNumber| {
        let link = &links[&fd.number()];
        match Destination::of_link(link) {
            Destination::Socket(inode) => &seen.sockets[&inode],
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(of(&listener).state, State::Listen);
    assert!(seen.listening.contains(&address.port()));
    assert_eq!(of(&server).state, State::CloseWait);
    assert_eq!(name(&of(&server).local), address.to_string());
    assert_eq!(of(&udp).protocol, "udp");
    assert_eq!(name(&of(&unix).local), path.display().to_string());
    let bare = of(&bare);
    assert_eq!((&*bare.protocol, bare.state), ("tcp", State::Unconnected));
    assert_eq!(
        kernel_sockets(u32::MAX, &BTreeMap::new()),
        KernelSockets::default()
    );
}

trait AsFdNumber {
    fn number(&self) -> u32;
}

impl<T: AsFd> AsFdNumber for T {
    fn number(&self) -> u32 {
        self.as_fd().as_raw_fd().try_into().unwrap()
    }
}

fn name(endpoint: &Option<Endpoint>) -> String {
    endpoint.as_ref().unwrap().to_string()
}
