//! Who is inside: counts with bounds, and the word to go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::listener::Wire;
use super::visit::{Ending, Peer, Visit, Who};
use crate::pki::Bearer;

/// Connections at once: each province has one, and room for as many that come back before the hub has noticed their end.
const CONNECTIONS_MAX: usize = 1_024;
/// Connections from one address: a data centre may hold every province's agent.
const CONNECTIONS_PER_ADDRESS_MAX: usize = 128;
/// Connections of one certificate's bearer: one that works, and some that the hub does not know to be dead.
const CONNECTIONS_PER_BEARER_MAX: usize = 8;
/// The bytes of an IPv6 address that name the network; whoever has one may take any of the 2^64 addresses in it.
const NETWORK_BYTES: usize = 8;
/// New connections a second from one address.
const NEW_PER_SECOND: NonZeroU32 = NonZeroU32::new(20).expect("not zero");
/// New connections from one address at once, after a while of silence.
const NEW_BURST: NonZeroU32 = NonZeroU32::new(100).expect("not zero");
/// Addresses whose rate is remembered before those that were quiet are forgotten.
const ADDRESSES_MAX: usize = 4_096;
/// How old a connection may become.
const AGE_MAX: Duration = Duration::from_secs(4 * 3_600);
/// How long somebody without a certificate may stay: an enrolment takes a second.
const UNKNOWN_AGE_MAX: Duration = Duration::from_secs(30);
/// How long a connection may be open before its first request.
const UNUSED_AGE_MAX: Duration = Duration::from_secs(30);
/// How often the clock is looked at while somebody with a certificate is inside: a machine that slept, or whose clock was
/// set right, must not make a certificate last longer.
const CLOCK_LOOK: Duration = Duration::from_secs(1);
/// How long a visitor who was told to go may take.
const FAREWELL: Duration = Duration::from_millis(500);

/// Who is inside.
pub(super) struct Visitors {
    inside: Mutex<Inside>,
    arrivals: Arrivals,
}

/// How fast connections come from each place.
type Arrivals = RateLimiter<IpAddr, DefaultKeyedStateStore<IpAddr>, SinceOpen, NoOpMiddleware<Duration>>;

/// The time since the door was opened, which in a simulation is the simulated one.
#[derive(Clone)]
struct SinceOpen(Instant);

impl Clock for SinceOpen {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

fn arrivals(quota: Quota) -> Arrivals {
    RateLimiter::new(quota, DefaultKeyedStateStore::default(), SinceOpen(Instant::now()))
}

#[derive(Default)]
struct Inside {
    last: u64,
    seats: usize,
    by_address: BTreeMap<IpAddr, usize>,
    named: BTreeMap<u64, Named>,
}

/// A visitor with a certificate.
struct Named {
    bearer: Bearer,
    serial: String,
    ending: watch::Sender<Option<Ending>>,
    cut: CancellationToken,
}

/// A place inside; free again when it is dropped.
pub(super) struct Seat {
    visitors: Arc<Visitors>,
    number: u64,
    address: SocketAddr,
}

impl Default for Visitors {
    fn default() -> Self {
        let quota = Quota::per_second(NEW_PER_SECOND).allow_burst(NEW_BURST);
        Self { inside: Mutex::default(), arrivals: arrivals(quota) }
    }
}

impl Visitors {
    /// A seat for a new connection; `None` when there are too many, or they come too fast.
    pub(super) fn seat(self: &Arc<Self>, address: SocketAddr) -> Option<Seat> {
        if self.arrivals.len() > ADDRESSES_MAX {
            self.arrivals.retain_recent();
        }
        let place = place(address.ip());
        self.arrivals.check_key(&place).ok()?;
        let mut inside = self.inside();
        let from_there = inside.by_address.get(&place).copied().unwrap_or_default();
        if inside.seats >= CONNECTIONS_MAX || from_there >= CONNECTIONS_PER_ADDRESS_MAX {
            return None;
        }
        inside.seats += 1;
        inside.last += 1;
        inside.by_address.insert(place, from_there + 1);
        Some(Seat { visitors: Arc::clone(self), number: inside.last, address })
    }

    /// Lets somebody in, for as long as they may stay.
    pub(super) fn receive(&self, wire: Box<dyn Wire>, who: Who, seat: Seat, wall_ms: fn() -> i64) -> Visit {
        let (ending, ends) = watch::channel(None);
        let cut = CancellationToken::new();
        let peer = Peer::new(seat.address, who.clone(), ends, cut.clone());
        let stay = Stay::of(&who, seat.number, wall_ms);
        if let Who::Bearer(certificate) = who {
            let (bearer, serial) = (certificate.bearer.clone(), certificate.serial.clone());
            let mut inside = self.inside();
            inside.make_room(&bearer);
            inside.named.insert(seat.number, Named { bearer, serial, ending: ending.clone(), cut: cut.clone() });
        }
        tokio::spawn(attend(peer.clone(), ending, cut.clone(), stay));
        Visit::new(wire, peer, cut, seat)
    }

    /// Sends away whose certificate is among these.
    pub(super) fn end_revoked(&self, serials: &BTreeSet<String>) {
        for named in self.inside().named.values().filter(|named| serials.contains(&named.serial)) {
            named.end(Ending::Revoked);
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// Ends the oldest connection of a bearer who has too many.
    fn make_room(&self, bearer: &Bearer) {
        // Who was told to go is about to, and makes no room a second time.
        let stays = |named: &&Named| named.bearer == *bearer && named.ending.borrow().is_none();
        let mut theirs = self.named.values().filter(stays);
        let oldest = theirs.next();
        if theirs.count() + 1 >= CONNECTIONS_PER_BEARER_MAX {
            oldest.iter().for_each(|named| named.end(Ending::Aged));
        }
    }
}

impl Named {
    fn end(&self, ending: Ending) {
        let is_news = self.ending.send_if_modified(|said| said.is_none() && said.replace(ending).is_none());
        if is_news {
            let cut = self.cut.clone();
            tokio::spawn(async move {
                sleep(FAREWELL).await;
                cut.cancel();
            });
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inside = self.visitors.inside();
        inside.seats -= 1;
        inside.named.remove(&self.number);
        let place = place(self.address.ip());
        match inside.by_address.get_mut(&place) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(inside.by_address.remove(&place)),
        }
    }
}

/// The place that a connection is counted under: an address of IPv4, a network of IPv6.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let mut octets = address.octets();
            octets[NETWORK_BYTES..].fill(0);
            IpAddr::from(octets)
        }
        address => address,
    }
}

/// How long somebody may stay.
struct Stay {
    /// Until they are too old.
    until: Instant,
    /// Until their certificate ends, in Unix milliseconds.
    not_after_ms: Option<i64>,
    wall_ms: fn() -> i64,
}

impl Stay {
    /// Ages differ a little, so that not everybody comes back at once.
    fn of(who: &Who, number: u64, wall_ms: fn() -> i64) -> Self {
        let aged = AGE_MAX.mul_f64(1.0 - 0.25 * (number % 64) as f64 / 64.0);
        let (age_max, not_after_ms) = match who {
            Who::Local => (aged, None),
            Who::Unknown => (UNKNOWN_AGE_MAX, None),
            Who::Bearer(certificate) => (aged, Some(certificate.not_after_ms)),
        };
        Self { until: Instant::now() + age_max, not_after_ms, wall_ms }
    }

    /// Waits for its end.
    async fn end(&self) -> Ending {
        loop {
            let until_old = self.until.saturating_duration_since(Instant::now());
            if until_old.is_zero() {
                return Ending::Aged;
            }
            let left_ms = self.not_after_ms.map(|not_after_ms| not_after_ms.saturating_sub((self.wall_ms)()));
            let until_expired =
                left_ms.map(|left_ms| Duration::from_millis(u64::try_from(left_ms).unwrap_or_default()));
            match until_expired {
                Some(Duration::ZERO) => return Ending::Expired,
                Some(until_expired) => sleep(until_old.min(until_expired).min(CLOCK_LOOK)).await,
                None => sleep(until_old).await,
            }
        }
    }
}

/// Sees a visitor out at the end of their time, and at once when they want nothing.
async fn attend(peer: Peer, ending: watch::Sender<Option<Ending>>, cut: CancellationToken, stay: Stay) {
    let mut end = std::pin::pin!(stay.end());
    let early = tokio::select! {
        biased;
        early = &mut end => Some(early),
        () = sleep(UNUSED_AGE_MAX) => None,
    };
    if !peer.was_used() {
        return cut.cancel();
    }
    // What is left of the visitor is the visitor's own: when they are gone, nobody waits for their end.
    drop(peer);
    let at_its_end = tokio::select! {
        biased;
        () = ending.closed() => return,
        at_its_end = async { if let Some(early) = early { early } else { end.await } } => at_its_end,
    };
    ending.send_if_modified(|said| said.is_none() && said.replace(at_its_end).is_none());
    sleep(FAREWELL).await;
    cut.cancel();
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use registry_schema::digest::Hash256;
    use tonic::transport::server::Connected as _;

    use super::*;
    use crate::pki::Certificate;

    /// Takes seats from an address until there are none, or `most`.
    fn sit(visitors: &Arc<Visitors>, address: [u8; 4], most: usize) -> Vec<Seat> {
        let address = SocketAddr::from((address, 1));
        std::iter::from_fn(|| visitors.seat(address)).take(most).collect()
    }

    /// Visitors whose callers are never too fast.
    fn patient() -> Arc<Visitors> {
        let often = NonZeroU32::new(1_000_000).unwrap();
        Arc::new(Visitors { arrivals: arrivals(Quota::per_second(often)), ..Visitors::default() })
    }

    #[test]
    fn one_address_has_a_part_of_the_seats_and_gets_them_back() {
        let visitors = patient();
        let seats = sit(&visitors, [10, 0, 0, 1], usize::MAX);
        assert_eq!(seats.len(), CONNECTIONS_PER_ADDRESS_MAX);
        assert_eq!(sit(&visitors, [10, 0, 0, 2], 3).len(), 3, "another address is not locked out");
        drop(seats);
        assert_eq!(sit(&visitors, [10, 0, 0, 1], 5).len(), 5);
        assert!(visitors.inside().by_address.is_empty(), "nobody is remembered who is gone");
    }

    #[test]
    fn all_addresses_of_one_network_are_one_place() {
        let check = |address: &str, expected: &str| {
            assert_eq!(place(address.parse().unwrap()), expected.parse::<IpAddr>().unwrap(), "{address}");
        };
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
        check("2001:db8:1:2:ffff::1", "2001:db8:1:2::");
        check("2001:db8:1:3::1", "2001:db8:1:3::");
        check("::ffff:10.0.0.1", "10.0.0.1");
        check("10.0.0.1", "10.0.0.1");
        let visitors = patient();
        let sit = |last: u16| visitors.seat(SocketAddr::from(([0x2001, 0xdb8, 0, 1, 0, 0, 0, last], 1)));
        let seats: Vec<_> = (0..500).filter_map(sit).collect();
        assert_eq!(seats.len(), CONNECTIONS_PER_ADDRESS_MAX);
        drop(seats);
        assert!(visitors.inside().by_address.is_empty());
    }

    #[test]
    fn there_is_a_bound_on_everybody_together() {
        let visitors = patient();
        let seats: Vec<_> = (0..u8::MAX).flat_map(|last| sit(&visitors, [10, 0, 0, last], 64)).collect();
        assert_eq!(seats.len(), CONNECTIONS_MAX);
    }

    #[tokio::test]
    async fn a_bearer_who_comes_too_often_loses_the_oldest_connection() {
        let visitors = patient();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (bearer, fingerprint) = ("urn:hotich:province:01@2008".parse::<Bearer>().unwrap(), Hash256([0; 32]));
        let mut visits = Vec::new();
        for number in 0..CONNECTIONS_PER_BEARER_MAX + 5 {
            let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (bearer, serial) = (bearer.clone(), number.to_string());
            let certificate = Certificate { bearer, serial, fingerprint, not_before_ms: 0, not_after_ms: i64::MAX };
            let seat = visitors.seat(SocketAddr::from(([10, 0, 0, 1], 1))).unwrap();
            visits.push(visitors.receive(Box::new(stream), Who::Bearer(Arc::new(certificate)), seat, || 0));
        }
        let is_told = |visit: &Visit| visit.connect_info().ending.borrow().is_some();
        assert!(visits[..5].iter().all(is_told) && !visits[5..].iter().any(is_told));
    }

    #[tokio::test(start_paused = true)]
    async fn a_certificate_ends_by_the_clock_also_when_that_is_set_right() {
        static AHEAD_MS: AtomicI64 = AtomicI64::new(0);
        thread_local!(static BEGAN: Instant = Instant::now());
        fn wall_ms() -> i64 {
            i64::try_from(BEGAN.with(Instant::elapsed).as_millis()).unwrap() + AHEAD_MS.load(Ordering::Relaxed)
        }
        let end = async |seconds: i64| {
            let began = Instant::now();
            let not_after_ms = Some(wall_ms() + seconds * 1_000);
            let ending = Stay { until: began + AGE_MAX, not_after_ms, wall_ms }.end().await;
            (ending, began.elapsed())
        };
        assert_eq!(end(90).await, (Ending::Expired, Duration::from_secs(90)));
        assert_eq!(end(-1).await, (Ending::Expired, Duration::ZERO));
        assert_eq!(end(1_000_000).await, (Ending::Aged, AGE_MAX));
        let set_right = async {
            sleep(Duration::from_millis(10_500)).await;
            AHEAD_MS.store(86_400_000, Ordering::Relaxed);
        };
        let ((ending, after), ()) = tokio::join!(end(3_600), set_right);
        assert_eq!((ending, after), (Ending::Expired, Duration::from_secs(11)));
    }

    #[test]
    fn callers_who_come_too_fast_wait() {
        let visitors = Arc::new(Visitors::default());
        let address = SocketAddr::from(([10, 0, 0, 1], 1));
        let let_in = (0..500).filter(|_| visitors.seat(address).is_some()).count();
        let burst = NEW_BURST.get() as usize;
        assert!((burst..burst + 20).contains(&let_in), "{let_in}");
    }
}
