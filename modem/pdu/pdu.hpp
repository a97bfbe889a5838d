#pragma once
// SMS TPDUs as values (TS 23.040 §9.2). encode() and decode() are pure and total: any octets give a value or an error with its place.
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/core/clock.hpp"
#include "daemon/core/result.hpp"

namespace conductor::pdu {

enum class PduErrc {
    bad_hex = 1,    ///< not hex digits, or an odd number of them
    truncated,      ///< ends inside a field
    trailing,       ///< octets after the last field
    bad_address,    ///< address length or digits impossible
    bad_length,     ///< TP-UDL does not fit, or longer than 140 octets
    bad_udh,        ///< user data header overruns the user data
    bad_type,       ///< TP-MTI not possible in this direction
    bad_field,      ///< a value that the field cannot hold (encode)
    not_encodable,  ///< text has a character the chosen encoding lacks (encode)
};
const char* errc_library(PduErrc);
std::string_view describe(PduErrc e);

using Octets = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

/// Type of number, TS 23.040 §9.1.2.5.
enum class Ton : std::uint8_t {
    unknown = 0,
    international = 1,
    national = 2,
    network = 3,
    subscriber = 4,
    alphanumeric = 5,
    abbreviated = 6,
    reserved = 7
};
std::string_view to_string(Ton ton);

/// An address field. `digits` is "+" + digits for international numbers, plain digits (may hold * # a b c) else, UTF-8 text if
/// alphanumeric.
struct Address {
    std::string digits{};
    Ton ton = Ton::unknown;
    std::uint8_t npi = 1;  ///< numbering plan, 1 = E.164
    bool operator==(const Address&) const = default;
};
/// "+..." is international; everything else is of unknown type.
Address address_of(std::string_view number);

enum class Alphabet : std::uint8_t { gsm7 = 0, data8 = 1, ucs2 = 2 };

/// TP-DCS in the parts that matter (TS 23.038 §4). `raw` is what was on the wire.
struct Dcs {
    std::uint8_t raw = 0;
    Alphabet alphabet = Alphabet::gsm7;
    std::optional<int> message_class{};  ///< 0-3
    bool compressed = false;
    bool auto_delete = false;  ///< marked for automatic deletion (group 01xx)
    struct Waiting {
        bool active;
        int kind;
        bool store;
        bool operator==(const Waiting&) const = default;
    };  ///< kind 0 voice 1 fax 2 e-mail 3 other
    std::optional<Waiting> waiting{};
    bool operator==(const Dcs&) const = default;
};
/// Any octet has a meaning: reserved codings are GSM-7 (TS 23.038 §4). Message indication "discard" and "store" differ in `store`.
Dcs parse_dcs(std::uint8_t raw);
/// General data coding group without compression: alphabet and optional class 0-3.
std::uint8_t make_dcs(Alphabet alphabet, std::optional<int> message_class = std::nullopt);

/// Service centre time stamp (TS 23.040 §9.2.3.11): local fields with the zone in quarter hours, -79..79 (80..85 from broken digits).
/// Years are 2000-2099. Digits above 9, as faulty service centres send, give fields that are out of range: utc() is empty then.
struct Timestamp {
    int year = 2000, month = 1, day = 1, hour = 0, minute = 0, second = 0;
    int zone_quarters = 0;
    bool operator==(const Timestamp&) const = default;
    std::optional<WallTime> utc() const;  ///< empty when the fields are no date, or the zone is none (beyond 15:45)
    std::string iso() const;              ///< 2026-11-21T10:00:00-08:00, digits as received
};

/// TP-VP (TS 23.040 §9.2.3.12). Relative is the octet; duration() gives it in minutes.
struct NoValidity {
    bool operator==(const NoValidity&) const = default;
};
struct RelativeValidity {
    std::uint8_t octet = 0;
    std::chrono::minutes duration() const;
    bool operator==(const RelativeValidity&) const = default;
};
struct AbsoluteValidity {
    Timestamp until{};
    bool operator==(const AbsoluteValidity&) const = default;
};
struct EnhancedValidity {
    std::uint8_t octets[7] = {};
    bool operator==(const EnhancedValidity&) const = default;
};
using Validity = std::variant<NoValidity, RelativeValidity, AbsoluteValidity, EnhancedValidity>;
/// The smallest relative value that is not shorter than `wanted` (clamped to 5 min .. 63 weeks).
RelativeValidity relative_validity(std::chrono::minutes wanted);

/// One information element of a user data header (TS 23.040 §9.2.3.24).
struct Element {
    std::uint8_t iei = 0;
    Octets data{};
    bool operator==(const Element&) const = default;
};
struct Concat {
    std::uint16_t ref = 0;
    std::uint8_t total = 1, seq = 1;
    bool wide = false;
    bool operator==(const Concat&) const = default;
};
struct Ports {
    std::uint16_t destination = 0, source = 0;
    bool wide = true;
    bool operator==(const Ports&) const = default;
};
using Udh = std::vector<Element>;
std::optional<Concat> find_concat(const Udh& udh);  ///< last valid one wins; sequence 0 or above total is ignored
std::optional<Ports> find_ports(const Udh& udh);
/// National language of single shift (IEI 24) and locking shift (IEI 25) tables, TS 23.038 §6.2.1.2; 0 = default.
struct National {
    std::uint8_t single = 0, locking = 0;
    bool operator==(const National&) const = default;
};
National find_national(const Udh& udh);

/// User data after decoding: header, text (gsm7, ucs2) or octets (data8), and for ucs2 parts the UTF-16 units, since a surrogate pair may
/// be split across parts. Compressed user data has octets alone, whatever its alphabet.
struct UserData {
    Udh udh{};
    Octets broken_header{};              ///< a UDH (without UDHL) that is not a list of elements: ignored, as §9.2.3.24 says, but kept
    std::string text{};                  ///< UTF-8; a lone surrogate is U+FFFD here
    Octets octets{};                     ///< the user data without its header, as on the wire (packed for gsm7)
    std::vector<std::uint16_t> units{};  ///< ucs2 only
    bool operator==(const UserData&) const = default;
};

struct Submit {  ///< SMS-SUBMIT, §9.2.2.2
    bool reject_duplicates = false, report_request = false, reply_path = false;
    std::uint8_t mr = 0;  ///< TP-MR; most modems put in their own
    Address to{};
    std::uint8_t pid = 0;
    Dcs dcs{};
    Validity validity{};
    UserData data{};
    bool operator==(const Submit&) const = default;
};
struct Deliver {  ///< SMS-DELIVER, §9.2.2.1
    bool more_to_send = false, reply_path = false, report_indication = false;
    bool loop_prevention = false;
    Address from{};
    std::uint8_t pid = 0;
    Dcs dcs{};
    Timestamp time{};
    UserData data{};
    bool operator==(const Deliver&) const = default;
};
struct StatusReport {  ///< SMS-STATUS-REPORT, §9.2.2.3
    bool more_to_send = false;
    bool command = false;  ///< TP-SRQ: the report answers an SMS-COMMAND
    bool loop_prevention = false;
    std::uint8_t mr = 0;
    Address recipient{};
    Timestamp time{}, discharge{};
    std::uint8_t status = 0;  ///< TP-ST, see status_of()
    std::optional<std::uint8_t> pid{};
    std::optional<Dcs> dcs{};
    std::optional<UserData> data{};
    bool operator==(const StatusReport&) const = default;
};
struct DeliverReport {                      ///< SMS-DELIVER-REPORT, §9.2.2.1a: answer to a delivery (CNMA)
    std::optional<std::uint8_t> failure{};  ///< TP-FCS, 0x80-0xFF: present in a report for RP-ERROR alone
    std::optional<std::uint8_t> pid{};
    std::optional<Dcs> dcs{};
    std::optional<UserData> data{};
    bool operator==(const DeliverReport&) const = default;
};
using Tpdu = std::variant<Submit, Deliver, StatusReport, DeliverReport>;

/// What TP-ST means for the message (TS 23.040 §9.2.3.15, FIELD table 3.6).
enum class Outcome : std::uint8_t { delivered, unconfirmed, replaced, pending, failed, expired, gave_up, reserved };
Outcome status_of(std::uint8_t tp_st);
std::string_view status_text(std::uint8_t tp_st);

/// A PDU as modems exchange it in PDU mode (TS 27.005 §3.1): service centre address, then the TPDU.
struct Pdu {
    std::optional<Address> smsc{};
    Tpdu tpdu{};
    bool operator==(const Pdu&) const = default;
};

enum class Way : std::uint8_t { mobile_originated, mobile_terminated };  ///< TP-MTI means different types per direction

/// Decodes octets that begin with the SMSC field. Text undecodable in a table becomes U+FFFD or a space as the standard says, never an
/// error. Errors name "field@octet", counted from the SMSC field. An SMS-DELIVER with the reserved TP-MTI 3 is read as SMS-DELIVER
/// (§9.2.3.1). After `trailing`, octet_of() says where the last field ended, so that a caller may cut padding there.
Result<Pdu> decode(View octets, Way way);
Result<Pdu> decode_hex(std::string_view hex, Way way);
/// The octet of a "field@octet" place; empty when the error has none.
std::optional<std::size_t> octet_of(const Error& error);

/// `octets` begins with the SMSC field ("00" = the SIM's own); `tpdu_length` is the number for AT+CMGS=.
struct Encoded {
    Octets octets{};
    std::size_t tpdu_length = 0;
    std::string hex() const;
};
/// For gsm7 and ucs2 the user data is made from data.text (ucs2: from data.units when they are not empty); for data8 from data.octets.
/// National tables in data.udh are honoured. A `dcs` whose raw octet is 0 but whose alphabet or class says otherwise gets make_dcs().
/// Error: not_encodable, bad_length, bad_field, bad_address.
Result<Encoded> encode(const Pdu& pdu);

std::string to_hex(View octets);
Result<Octets> from_hex(std::string_view hex);

}  // namespace conductor::pdu
