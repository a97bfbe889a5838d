#pragma once
// Answers of single commands to values. Each takes the lines that the command owned.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/clock.hpp"
#include "modem/at/at.hpp"

namespace conductor::at {

using Answer = std::span<const std::string>;

/// Received signal strength in dBm (TS 27.007 §8.5); empty when unknown (99) or out of range.
std::optional<int> parse_csq(Answer lines);

/// The modem's clock, +CCLK: "yy/MM/dd,hh:mm:ss+zz" (TS 27.007 §8.15), local time with its zone in quarter hours. Empty where it is no
/// date, or has no zone: then it says nothing of the time in the world.
std::optional<WallTime> parse_clock(Answer lines);

/// How far `heard`, all that came since, echoes the hex text that was written behind a prompt. Lines that are no hex are URCs.
enum class Echo : std::uint8_t { none, partial, whole, different };
Echo compare_echo(std::string_view heard, std::string_view written);

/// One stored message of +CMGR or +CMGL. `stat`: 0 received unread, 1 received read, 2 stored unsent, 3 stored sent; 1 where the modem left
/// it out (FIELD row 25).
struct StoredPdu {
    int index = -1;
    int stat = 1;
    std::optional<int> length;  ///< octets of the TPDU
    std::string hex;            ///< empty when the PDU line was lost
    /// The PDU has as many octets as the header says (false also when it cannot be told).
    bool whole() const;
};
/// An empty slot answers OK without a line: empty (T31).
std::optional<StoredPdu> parse_cmgr(Answer lines);
std::vector<StoredPdu> parse_cmgl(Answer lines);

/// What a PDU of a storage is by its TP-MTI and direction (TS 23.040 §9.2.3.1).
enum class StoredKind { message, report, own, submission, blank };
/// `own`: stored by the host (stat 2 or 3). `submission`: an SMS-SUBMIT that is listed as received: a host's, on modems that list those so
/// (T67), or octets of the network that look like one. `blank`: dummy records of FF, also behind an SCA octet 00 (FIELD row 58).
/// Everything else that is not a report is a message, decodable or not.
StoredKind kind_of(const StoredPdu& pdu);

/// TP-MR behind +CMGS: or +CMSS: (the first number, T25).
std::optional<int> parse_reference(Answer lines);

struct StorageUse {
    std::string memory;  ///< empty in the answer of a write
    int used = 0, total = 0;
};
/// +CPMS: "SM",3,20,... (read) or +CPMS: 3,20,... (write).
std::vector<StorageUse> parse_cpms(Answer lines);
/// +CPMS: ("SM","ME"),("SM"),...: the memories of each of the up to three lists.
std::vector<std::vector<std::string>> parse_cpms_test(Answer lines);

/// The state behind +CPIN: ("READY", "SIM PIN", ...), upper case.
std::optional<std::string> parse_cpin(Answer lines);
/// Tries left for `SIM PIN`, from +CPINR: SIM PIN,3[,3], ^CPIN: READY,10,10,3,10,3, +QPINC: "SC",3,10, +SPIC: 3,10,.., #PCT: 3 or
/// +UPINCNT: 3,3,10,10.
std::optional<int> parse_pin_tries(Answer lines);

/// The service centre's number behind +CSCA:, also where it is written in UCS-2 hex or without '+' (T35).
std::optional<std::string> parse_csca(Answer lines);

/// The operator behind +COPS: 0,0,"name"; empty when none is selected.
std::optional<std::string> parse_cops(Answer lines);

/// The numbers of a read or write form: +CNMI: 2,1,0,1,0.
std::vector<int> parse_numbers(Answer lines);

/// The longest run of digits of 14 and more: IMEI, IMSI; with a trailing F allowed, as ICCIDs have (returned without it).
std::optional<std::string> parse_long_number(Answer lines, std::size_t least);
/// ICCID out of the EF content that +CRSM: 144,0,"98..." gives (TS 102.221 §13.2: nibbles swapped).
std::optional<std::string> parse_crsm_iccid(Answer lines);
/// ICCID of a vendor's command: 18 digits and more, a trailing F left out. Huawei's ^ICCID gives the nibbles of EF-ICCID as they are
/// stored; since an ICCID begins with 89 (ITU-T E.118), what begins with 98 is swapped.
std::optional<std::string> parse_iccid(Answer lines);
/// The first line without its prefix: manufacturer, model, revision.
std::string parse_plain(Answer lines);
/// The number of the first +CNUM line.
std::string parse_cnum(Answer lines);

}  // namespace conductor::at
