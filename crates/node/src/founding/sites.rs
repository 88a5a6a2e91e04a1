//! Where the nodes of a new network are: hosts, and ports that count up on each.

use ambar_base::{Coded, ErrorCode};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Where the first validator of a host listens for its peers; the next ones count up from
/// it, to at most 7899 with as many validators as a network may have.
pub const PEER_PORT_DEFAULT: u16 = 7_800;
/// Where the first node of a host serves its API; the next ones count up to at most 7799.
pub const API_PORT_DEFAULT: u16 = 7_700;

/// A host: an address, with a port for its peers or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its address.
    pub ip: IpAddr,
    /// Where it listens for peers, if it was said.
    pub port: Option<u16>,
}

/// Where one node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Where it listens for peers.
    pub listen: SocketAddr,
    /// Where peers reach it.
    pub advertise: SocketAddr,
    /// Where it serves its API, on the loopback of its host.
    pub api: SocketAddr,
}

/// Why the nodes find no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// Not one host for each.
    #[error("{hosts} hosts are named for {validators} validators")]
    Hosts {
        /// How many hosts.
        hosts: usize,
        /// How many validators.
        validators: usize,
    },
    /// The text is no host.
    #[error("`{0}` is no host: write an IP address, or one with a port like 192.0.2.7:7800")]
    Form(String),
    /// The ports are used up.
    #[error("the ports from {0} on are too few")]
    Ports(u16),
    /// Two nodes would listen at one place.
    #[error("two nodes would listen on {0}")]
    Twice(SocketAddr),
}

impl Coded for SiteError {
    fn code(&self) -> ErrorCode {
        ErrorCode::RequestInvalid
    }

    fn help(&self) -> Option<String> {
        match self {
            Self::Hosts { .. } => {
                Some("name one --host for each validator, or none for this machine".into())
            }
            _ => None,
        }
    }
}

impl FromStr for Host {
    type Err = SiteError;

    fn from_str(text: &str) -> Result<Self, SiteError> {
        let with_port = text.parse::<SocketAddr>().ok().filter(|address| address.port() > 0);
        let host = with_port.map(|address| Self { ip: address.ip(), port: Some(address.port()) });
        let host = host.or_else(|| Some(Self { ip: text.parse().ok()?, port: None }));
        let reachable = host.filter(|host| !host.ip.is_unspecified());
        reachable.ok_or_else(|| SiteError::Form(text.to_owned()))
    }
}

impl Host {
    /// This machine, which others do not reach.
    pub const LOOPBACK: Self = Self { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), port: None };

    /// Any interface of the host that is reached at this address.
    fn any(&self) -> IpAddr {
        match self.ip {
            ip if ip.is_loopback() => ip,
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        }
    }
}

/// A place for each of `validators` nodes, on these hosts or all on the loopback. Ports of
/// nodes on one host count up from those given.
pub fn sites(
    validators: usize,
    hosts: &[Host],
    (peer_port, api_port): (u16, u16),
) -> Result<Vec<Site>, SiteError> {
    if !hosts.is_empty() && hosts.len() != validators {
        return Err(SiteError::Hosts { hosts: hosts.len(), validators });
    }
    let mut sites: Vec<Site> = Vec::new();
    let mut on_host: BTreeMap<IpAddr, u16> = BTreeMap::new();
    for index in 0..validators {
        let host = hosts.get(index).unwrap_or(&Host::LOOPBACK);
        let before = on_host.entry(host.ip).or_default();
        let site = site(host, *before, (peer_port, api_port))?;
        if sites.iter().any(|other| other.advertise == site.advertise) {
            return Err(SiteError::Twice(site.advertise));
        }
        sites.push(site);
        // There are fewer nodes than ports, or the ports would have run out.
        *before = before.saturating_add(1);
    }
    Ok(sites)
}

/// The place of the node on `host` that has `before` others beside it.
fn site(host: &Host, before: u16, (peer_port, api_port): (u16, u16)) -> Result<Site, SiteError> {
    let after = |first: u16| first.checked_add(before).ok_or(SiteError::Ports(first));
    let port = host.port.map_or_else(|| after(peer_port), Ok)?;
    Ok(Site {
        listen: SocketAddr::new(host.any(), port),
        advertise: SocketAddr::new(host.ip, port),
        api: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), after(api_port)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: (u16, u16) = (PEER_PORT_DEFAULT, API_PORT_DEFAULT);

    fn hosts(texts: &[&str]) -> Vec<Host> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn placed(texts: &[&str]) -> Vec<String> {
        let sites = sites(texts.len(), &hosts(texts), PORTS).unwrap();
        let text = |site: &Site| format!("{} {} {}", site.listen, site.advertise, site.api);
        sites.iter().map(text).collect()
    }

    #[test]
    fn ports_count_up_on_each_host() {
        let expect = [
            "0.0.0.0:7800 192.0.2.1:7800 127.0.0.1:7700",
            "0.0.0.0:7800 192.0.2.2:7800 127.0.0.1:7700",
            "0.0.0.0:7801 192.0.2.1:7801 127.0.0.1:7701",
            "[::]:9 [2001:db8::1]:9 127.0.0.1:7700",
        ];
        assert_eq!(placed(&["192.0.2.1", "192.0.2.2", "192.0.2.1", "[2001:db8::1]:9"]), expect);
        let alone = sites(2, &[], PORTS).unwrap();
        let ports = |site: &Site| (site.listen.port(), site.api.port());
        assert_eq!(alone.iter().map(ports).collect::<Vec<_>>(), [(7800, 7700), (7801, 7701)]);
        assert!(alone.iter().all(|site| site.listen == site.advertise));
    }

    #[test]
    fn what_finds_no_place_says_why() {
        let check = |count, texts: &[&str], ports, expect: SiteError| {
            assert_eq!(sites(count, &hosts(texts), ports), Err(expect));
        };
        check(2, &["192.0.2.1"], PORTS, SiteError::Hosts { hosts: 1, validators: 2 });
        check(2, &[], (65_535, 7_700), SiteError::Ports(65_535));
        let twice = ["192.0.2.1:9", "192.0.2.1:9"];
        check(2, &twice, PORTS, SiteError::Twice("192.0.2.1:9".parse().unwrap()));
        for text in ["example.org", "192.0.2.1:0", "0.0.0.0", "192.0.2.1:70000"] {
            assert_eq!(text.parse::<Host>(), Err(SiteError::Form(text.into())));
        }
    }
}
