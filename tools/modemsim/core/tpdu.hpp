#pragma once
// The simulator's own TPDU reader and writer (TS 23.040 §9), independent of modem/pdu.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/clock.hpp"
#include "tools/modemsim/core/text.hpp"

namespace conductor::modemsim {

/// Type of address octet and the digits, or the text of an alphanumeric one (type D0).
struct Address {
    std::uint8_t toa = 0x81;
    std::string digits;
    /// "+" in front when the type of number is international.
    std::string text() const;
    bool operator==(const Address&) const = default;
};
/// "+1555…" international, letters alphanumeric, else unknown type.
Address make_address(std::string_view text);

struct Concat {
    unsigned ref = 0, total = 0, seq = 0, bits = 8;
    bool operator==(const Concat&) const = default;
};

/// User data as it stands in a TPDU. `length` is TP-UDL: septets or octets by the DCS.
struct UserData {
    std::uint8_t dcs = 0;
    bool udhi = false;
    unsigned length = 0;
    Octets octets;       ///< UDHL, header, fill bits, text
    Octets udh() const;  ///< without UDHL; empty when there is none
    std::optional<Concat> concat() const;
    /// Decoded by the default alphabet, UCS-2, or as hex for 8-bit data; national tables are not applied.
    std::string text() const;
};
enum class Alphabet { gsm7, data, ucs2 };
Alphabet alphabet_of(std::uint8_t dcs);
/// 0-3, or empty (TS 23.038 §4).
std::optional<int> class_of(std::uint8_t dcs);

struct Submit {
    bool rd = false, srr = false, rp = false;
    std::uint8_t mr = 0, pid = 0;
    Address to;
    Octets validity;  ///< 0, 1 or 7 octets as they came
    std::uint8_t vpf = 0;
    UserData data;
};
struct Deliver {
    Address from;
    std::uint8_t pid = 0;
    WallTime time{};
    int zone = 0;  ///< quarter hours east of UTC
    bool more = false, srr = false, rp = false;
    UserData data;
};
struct Report {
    std::uint8_t mr = 0;
    Address to;
    WallTime submitted{}, discharged{};
    int zone = 0;
    std::uint8_t status = 0;
};

/// Reads an SMS-SUBMIT without SMSC field. Empty when it is not one, or any length disagrees with the octets (none may be left over).
std::optional<Submit> read_submit(const Octets& tpdu);
Octets write_submit(const Submit& submit);
Octets write_deliver(const Deliver& deliver);
Octets write_report(const Report& report);

/// What text mode shows of a stored TPDU.
struct Summary {
    unsigned mti = 0;  ///< TP-MTI: 0 deliver, 1 submit, 2 status report
    std::uint8_t first = 0, pid = 0, mr = 0, status = 0;
    Address address;
    std::string time, time2;  ///< "yy/MM/dd,hh:mm:ss±zz"
    UserData data;
};
/// `sent`: the TPDU is one of ours (SUBMIT), not of the network. Empty when it is cut or malformed.
std::optional<Summary> read_summary(const Octets& tpdu, bool sent);

/// The SMSC field as AT commands carry it in front of the TPDU (TS 27.005 §3.1 <pdu>); one octet 00 when empty.
Octets write_smsc(std::string_view number);
/// Octets of the SMSC field in front, its length octet included.
std::size_t smsc_length(const Octets& pdu);

struct SplitOptions {
    std::optional<Alphabet> alphabet;  ///< forced; else GSM-7 where it can carry the text
    std::optional<int> message_class;
    unsigned reference = 0;
    bool wide = false;              ///< 16-bit concatenation reference
    bool split_surrogates = false;  ///< fill every UCS-2 part to its last unit, even through a surrogate pair
    Octets extra_udh;               ///< information elements put into every part
};
/// A text as user data of one or more parts. Empty when the forced alphabet cannot carry it.
std::optional<std::vector<UserData>> split_text(std::u32string_view text, const SplitOptions& options);

}  // namespace conductor::modemsim
