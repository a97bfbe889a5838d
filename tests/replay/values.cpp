#include "tests/replay/values.hpp"

#include "daemon/core/result.hpp"
#include "modem/at/answers.hpp"
#include "modem/at/errors.hpp"
#include "modem/at/ussd.hpp"
#include "modem/pdu/pdu.hpp"

namespace conductor::replay {
namespace {

using Values = std::vector<std::string>;
using at::Answer;

std::string in_quotes(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto u = static_cast<unsigned char>(c);
        constexpr std::string_view digits = "0123456789ABCDEF";
        if (u < 0x20) {
            out += {'\\', 'x', digits[u >> 4], digits[u & 15]};
        } else {
            out += c;
        }
    }
    return out + "\"";
}

std::string text_of(const pdu::Tpdu& tpdu) {
    return std::visit(overloaded{[](const pdu::Deliver& d) {
                                     std::string out = in_quotes(d.data.text) + " from " + in_quotes(d.from.digits);
                                     if (const auto part = pdu::find_concat(d.data.udh))
                                         out += " part " + std::to_string(part->seq) + "/" + std::to_string(part->total) + " of " +
                                                std::to_string(part->ref);
                                     return out;
                                 },
                                 [](const pdu::StatusReport& r) {
                                     return "TP-MR " + std::to_string(r.mr) + " to " + in_quotes(r.recipient.digits) + ": " +
                                            std::string{pdu::status_text(r.status)};
                                 },
                                 [](const pdu::Submit& s) { return in_quotes(s.data.text) + " to " + in_quotes(s.to.digits); },
                                 [](const pdu::DeliverReport&) { return std::string{"a deliver report"}; }},
                      tpdu);
}

std::string stored_text(const at::StoredPdu& pdu) {
    if (pdu.hex.empty()) return "without a PDU";
    const bool cut = pdu.length && !pdu.whole();
    std::string out = cut ? "not as long as told, " : "";
    switch (at::kind_of(pdu)) {
        case at::StoredKind::blank: return out + "blank";
        case at::StoredKind::own: return out + "own";
        case at::StoredKind::submission: return out + "submission";
        case at::StoredKind::message: return out + "message " + pdu_text(pdu.hex);
        case at::StoredKind::report: return out + "report " + pdu_text(pdu.hex);
    }
    return out;
}

std::string class_text(at::ErrorClass c) {
    constexpr std::string_view words[] = {"recipient", "content", "transient", "busy", "modem", "human", "ambiguous", "duplicate"};
    return std::string{words[static_cast<std::size_t>(c)]};
}

std::string verdict_text(const at::FinalResult& final, bool prompted) {
    at::Failure failure;
    failure.code = final.code;
    failure.phase = prompted ? at::Phase::after_ctrl_z : at::Phase::before_ctrl_z;
    if (final.kind == at::FinalResult::Kind::cms) failure.kind = at::FailureKind::cms;
    if (final.kind == at::FinalResult::Kind::cme) failure.kind = at::FailureKind::cme;
    const at::Verdict verdict = at::classify(failure);
    return class_text(verdict.error_class) + (verdict.counts ? "" : ", no attempt used") +
           (at::is_definite(failure) ? "" : ", may have gone out");
}

std::string or_none(const std::optional<std::string>& value) {
    return value ? in_quotes(*value) : "none";
}
std::string or_none(const std::optional<int>& value) {
    return value ? std::to_string(*value) : "none";
}

Values registration(Answer lines) {
    return {"stat " + or_none(lines.empty() ? std::nullopt : at::registration_stat(lines.back()))};
}
Values tries(Answer lines) {
    return {"tries " + or_none(at::parse_pin_tries(lines))};
}
Values listed(Answer lines) {
    Values out;
    for (const at::StoredPdu& pdu : at::parse_cmgl(lines)) out.push_back(std::to_string(pdu.index) + ": " + stored_text(pdu));
    return out;
}
Values slot(Answer lines) {
    const auto pdu = at::parse_cmgr(lines);
    return {pdu ? stored_text(*pdu) : "empty slot"};
}
Values storages(Answer lines) {
    Values out;
    for (const at::StorageUse& use : at::parse_cpms(lines))
        out.push_back((use.memory.empty() ? "" : use.memory + " ") + std::to_string(use.used) + " of " + std::to_string(use.total));
    return out;
}
Values storage_lists(Answer lines) {
    Values out;
    for (const auto& list : at::parse_cpms_test(lines)) {
        std::string words = "memories";
        for (const std::string& memory : list) words += " " + memory;
        out.push_back(words);
    }
    return out;
}
Values numbers(Answer lines) {
    std::string out = "numbers";
    for (const int n : at::parse_numbers(lines)) out += " " + std::to_string(n);
    return {out};
}

struct Reader {
    std::string_view command;  ///< the line begins with it; the first row that fits holds
    Values (*read)(Answer lines);
};
constexpr Reader readers[] = {
    {"+CSQ", [](Answer lines) { return Values{"dBm " + or_none(at::parse_csq(lines))}; }},
    {"+CREG?", registration},
    {"+CGREG?", registration},
    {"+CEREG?", registration},
    {"+C5GREG?", registration},
    {"+CMGL", listed},
    {"+CMGR", slot},
    {"+CMGS=", [](Answer lines) { return Values{"TP-MR " + or_none(at::parse_reference(lines))}; }},
    {"+CMSS=", [](Answer lines) { return Values{"TP-MR " + or_none(at::parse_reference(lines))}; }},
    {"+CPMS=?", storage_lists},
    {"+CPMS", storages},
    {"+CPINR", tries},
    {"^CPIN", tries},
    {"+QPINC", tries},
    {"+UPINCNT", tries},
    {"+SPIC", tries},
    {"#PCT", tries},
    {"+CPIN?", [](Answer lines) { return Values{"lock " + or_none(at::parse_cpin(lines))}; }},
    {"+CSCA?", [](Answer lines) { return Values{"centre " + or_none(at::parse_csca(lines))}; }},
    {"+COPS?", [](Answer lines) { return Values{"operator " + or_none(at::parse_cops(lines))}; }},
    {"+CNMI?", numbers},
    {"+CGSN", [](Answer lines) { return Values{"IMEI " + or_none(at::parse_long_number(lines, 14))}; }},
    {"+CRSM", [](Answer lines) { return Values{"ICCID " + or_none(at::parse_crsm_iccid(lines))}; }},
    {"+CCID", [](Answer lines) { return Values{"ICCID " + or_none(at::parse_long_number(lines, 18))}; }},
    {"^ICCID", [](Answer lines) { return Values{"ICCID " + or_none(at::parse_long_number(lines, 18))}; }},
    {"+CGMM", [](Answer lines) { return Values{"plain " + in_quotes(at::parse_plain(lines))}; }},
    {"+CGMI", [](Answer lines) { return Values{"plain " + in_quotes(at::parse_plain(lines))}; }},
    {"+CNUM", [](Answer lines) { return Values{"number " + in_quotes(at::parse_cnum(lines))}; }},
};

}  // namespace

std::string pdu_text(std::string_view hex) {
    auto decoded = pdu::decode_hex(hex, pdu::Way::mobile_terminated);
    std::string behind;
    if (!decoded && decoded.error().is(pdu::PduErrc::trailing)) {
        const auto end = pdu::octet_of(decoded.error());
        if (!end) return "trailing octets at no place";
        behind = " and " + std::to_string(hex.size() / 2 - *end) + " octets behind it";
        decoded = pdu::decode_hex(hex.substr(0, 2 * *end), pdu::Way::mobile_terminated);
    }
    if (!decoded) return "undecodable: " + decoded.error().text();
    return text_of(decoded->tpdu) + behind;
}

std::vector<std::string> values_of(const std::string& command, const at::Reply& reply, bool prompted) {
    const bool submits = command.starts_with("+CMGS=") || command.starts_with("+CMSS=");
    if (!reply.ok()) return submits ? Values{verdict_text(reply.final, prompted)} : Values{};
    for (const Reader& reader : readers)
        if (at::starts_with(command, reader.command)) return reader.read(reply.lines);
    return {};
}

std::vector<std::string> values_of(const at::Urc& urc) {
    if (const auto* direct = std::get_if<at::Direct>(&urc)) return {pdu_text(direct->hex)};
    if (const auto* ussd = std::get_if<at::Ussd>(&urc)) return {in_quotes(at::ussd_text(*ussd, false))};
    return {};
}

}  // namespace conductor::replay
