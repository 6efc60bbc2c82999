//! Numbers of RRtypes and classes that the engine itself looks at (IANA "DNS Parameters").

#![allow(missing_docs)]

pub const A: u16 = 1;
pub const NS: u16 = 2;
pub const MD: u16 = 3;
pub const MF: u16 = 4;
pub const CNAME: u16 = 5;
pub const SOA: u16 = 6;
pub const MB: u16 = 7;
pub const MG: u16 = 8;
pub const MR: u16 = 9;
pub const WKS: u16 = 11;
pub const PTR: u16 = 12;
pub const HINFO: u16 = 13;
pub const MINFO: u16 = 14;
pub const MX: u16 = 15;
pub const TXT: u16 = 16;
pub const RP: u16 = 17;
pub const AFSDB: u16 = 18;
pub const RT: u16 = 21;
pub const SIG: u16 = 24;
pub const KEY: u16 = 25;
pub const PX: u16 = 26;
pub const AAAA: u16 = 28;
pub const LOC: u16 = 29;
pub const NXT: u16 = 30;
pub const SRV: u16 = 33;
pub const NAPTR: u16 = 35;
pub const KX: u16 = 36;
pub const A6: u16 = 38;
pub const DNAME: u16 = 39;
pub const OPT: u16 = 41;
pub const APL: u16 = 42;
pub const DS: u16 = 43;
pub const SSHFP: u16 = 44;
pub const IPSECKEY: u16 = 45;
pub const RRSIG: u16 = 46;
pub const NSEC: u16 = 47;
pub const DNSKEY: u16 = 48;
pub const NSEC3: u16 = 50;
pub const NSEC3PARAM: u16 = 51;
pub const TLSA: u16 = 52;
pub const SMIMEA: u16 = 53;
pub const HIP: u16 = 55;
pub const NINFO: u16 = 56;
pub const CDS: u16 = 59;
pub const CDNSKEY: u16 = 60;
pub const SVCB: u16 = 64;
pub const HTTPS: u16 = 65;
pub const SPF: u16 = 99;
pub const LP: u16 = 107;
pub const TKEY: u16 = 249;
pub const TSIG: u16 = 250;
pub const IXFR: u16 = 251;
pub const AXFR: u16 = 252;
pub const MAILB: u16 = 253;
pub const MAILA: u16 = 254;
pub const ANY: u16 = 255;
pub const URI: u16 = 256;
pub const CAA: u16 = 257;
pub const AVC: u16 = 258;
pub const AMTRELAY: u16 = 260;
pub const RESINFO: u16 = 261;
pub const WALLET: u16 = 262;

/// Classes.
pub const IN: u16 = 1;
pub const CHAOS: u16 = 3;
pub const ANY_CLASS: u16 = 255;

/// Whether `rtype` cannot be data (RFC 6895 section 3.1): 0, OPT, and 128 to 255.
pub const fn is_meta(rtype: u16) -> bool {
    rtype == 0 || rtype == OPT || (rtype >= 128 && rtype <= 255)
}
