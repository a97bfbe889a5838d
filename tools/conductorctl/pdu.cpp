#include "tools/conductorctl/pdu.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <nlohmann/json.hpp>

#include "daemon/core/message.hpp"
#include "modem/sms/sms.hpp"
#include "tools/conductorctl/output.hpp"

namespace conductor::ctl {
namespace {

using Json = nlohmann::ordered_json;
using namespace pdu;
using std::chrono::minutes;

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// ---- encode ---------------------------------------------------------------------------------------------------------------------------

/// "+15550100123", "15555": what people put between the digits goes.
std::optional<Address> parse_number(std::string_view written) {
    std::string digits;
    for (const char c : written) {
        if (std::string_view{" -.()/"}.find(c) == std::string_view::npos) digits.push_back(c);
    }
    const std::string_view bare = std::string_view{digits}.substr(digits.starts_with('+') ? 1 : 0);
    const bool good = !bare.empty() && bare.size() <= 20 && std::ranges::all_of(bare, [](char c) { return c >= '0' && c <= '9'; });
    return good ? std::optional{address_of(digits)} : std::nullopt;
}

/// 30m, 24h, 3d, 2w; seconds are rounded up to minutes.
std::optional<minutes> parse_span(std::string_view text) {
    unsigned value = 0;
    const auto [unit, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc{} || unit + 1 != text.data() + text.size() || value == 0 || value > 1'000'000) return std::nullopt;
    const auto n = static_cast<int>(value);
    switch (*unit) {
        case 's': return minutes{(n + 59) / 60};
        case 'm': return minutes{n};
        case 'h': return minutes{n * 60};
        case 'd': return minutes{n * 60 * 24};
        case 'w': return minutes{n * 60 * 24 * 7};
        default: return std::nullopt;
    }
}

struct EncodePlan {
    Submit submit{};
    std::optional<Address> smsc{};
    sms::SegmentOptions segmentation{};
};

/// Empty, and a sentence on `err`, when an option is bad.
std::optional<EncodePlan> plan_of(const PduEncodeOptions& options, std::ostream& err) {
    EncodePlan plan;
    const auto refuse = [&](std::string_view what) {
        err << "pdu encode: " << what << '\n';
        return std::nullopt;
    };
    const auto to = parse_number(options.to);
    if (!to) return refuse("--to: not a phone number of 1 to 20 digits");
    plan.submit.to = *to;
    plan.submit.report_request = options.report;
    if (options.smsc) {
        plan.smsc = parse_number(*options.smsc);
        if (!plan.smsc) return refuse("--smsc: not a phone number of 1 to 20 digits");
    }
    if (options.validity) {
        const auto span = parse_span(*options.validity);
        if (!span) return refuse("--validity: a number and s, m, h, d or w, as in 24h");
        if (*span > std::chrono::weeks{63}) return refuse("--validity: 63w at most");
        plan.submit.validity = relative_validity(*span);
    }
    if (options.ref) {
        if (*options.ref < 0 || *options.ref > 0xFFFF) return refuse("--ref: 0 to 65535");
        plan.segmentation.ref = static_cast<std::uint16_t>(*options.ref);
        plan.segmentation.wide_ref = *options.ref > 0xFF;
    }
    if (options.encoding == "gsm7") {
        plan.segmentation.encoding = sms::Want::gsm7;
    } else if (options.encoding == "ucs2") {
        plan.segmentation.encoding = sms::Want::ucs2;
    } else if (options.encoding != "auto") {
        return refuse("--encoding: auto, gsm7 or ucs2");
    }
    return plan;
}

std::string_view word_of(const Error& error) {
    if (error.is(sms::SmsErrc::empty)) return "empty";
    if (error.is(sms::SmsErrc::bad_utf8)) return "bad_utf8";
    if (error.is(sms::SmsErrc::too_long)) return "too_long";
    return "not_encodable";
}

void print_encoded(const std::vector<Encoded>& pdus, std::string_view encoding, bool json, std::ostream& out) {
    if (json) {
        Json list = Json::array();
        for (const Encoded& pdu : pdus) list.push_back(Json{{"length", pdu.tpdu_length}, {"hex", pdu.hex()}});
        out << dump(Json{{"encoding", encoding}, {"segments", pdus.size()}, {"pdus", list}}) << '\n';
        return;
    }
    out << encoding << ", " << pdus.size() << (pdus.size() == 1 ? " segment\n" : " segments\n");
    for (const Encoded& pdu : pdus) out << "AT+CMGS=" << pdu.tpdu_length << '\n' << pdu.hex() << '\n';
}

// ---- decode ---------------------------------------------------------------------------------------------------------------------------

std::string_view encoding_name(const Dcs& dcs) {
    switch (dcs.alphabet) {
        case Alphabet::gsm7: return to_string(Encoding::gsm7);
        case Alphabet::data8: return to_string(Encoding::data8);
        case Alphabet::ucs2: return to_string(Encoding::ucs2);
    }
    return to_string(Encoding::gsm7);
}

/// The form that --validity takes: 90m, 24h, 4d.
std::string span_text(minutes span) {
    const long total = span.count();
    if (total % 60 != 0) return fmt::format("{}m", total);
    if (total % (60 * 24) != 0 || total < 60 * 48) return fmt::format("{}h", total / 60);
    return fmt::format("{}d", total / (60 * 24));
}

/// TP-VP in the enhanced format, TS 23.040 §9.2.3.12.3.
std::string enhanced_text(const EnhancedValidity& v) {
    const auto digits = [&](int i) { return (v.octets[i] & 0x0F) * 10 + (v.octets[i] >> 4); };
    const bool extended = v.octets[0] & 0x80;  // a further functionality octet
    if (!extended) {
        switch (v.octets[0] & 0x07) {
            case 1: return span_text(RelativeValidity{v.octets[1]}.duration());
            case 2: return fmt::format("{}s", v.octets[1]);
            case 3: return fmt::format("{:02}:{:02}:{:02}", digits(1), digits(2), digits(3));
            default: break;
        }
    }
    return "enhanced:" + to_hex(v.octets);
}

Json validity_json(const Validity& validity) {
    return std::visit(
        overloaded{[](const NoValidity&) { return Json(nullptr); }, [](const RelativeValidity& v) { return Json(span_text(v.duration())); },
                   [](const AbsoluteValidity& v) { return v.until.utc() ? Json(v.until.iso()) : Json(nullptr); },
                   [](const EnhancedValidity& v) { return Json(enhanced_text(v)); }},
        validity);
}

Json udh_json(const Udh& udh) {
    Json out{{"concat", nullptr}, {"ports", nullptr}, {"national", nullptr}, {"elements", Json::array()}};
    if (const auto c = find_concat(udh)) {
        out["concat"] = Json{{"ref", c->ref}, {"total", c->total}, {"seq", c->seq}, {"bits", c->wide ? 16 : 8}};
    }
    if (const auto p = find_ports(udh)) {
        out["ports"] = Json{{"destination", p->destination}, {"source", p->source}, {"bits", p->wide ? 16 : 8}};
    }
    if (const National n = find_national(udh); n != National{}) {
        out["national"] = Json{{"single", n.single}, {"locking", n.locking}};
    }
    for (const Element& e : udh) out["elements"].push_back(Json{{"iei", e.iei}, {"data", to_hex(e.data)}});
    return out;
}

/// Every key of the contract, with nothing known yet.
Json blank(std::string_view type, const std::optional<Address>& smsc) {
    Json out{{"type", type}};
    out["smsc"] = smsc && !smsc->digits.empty() ? Json(smsc->digits) : Json(nullptr);  // a type octet alone means none, too
    for (const char* key : {"address", "address_type", "text", "encoding", "timestamp", "class", "pid", "dcs"}) out[key] = nullptr;
    out["udh"] = udh_json({});
    for (const char* key : {"mr", "status", "status_text", "discharge"}) out[key] = nullptr;
    out["report_requested"] = false;
    out["validity"] = nullptr;
    out["data_hex"] = nullptr;
    return out;
}

/// Null where the digits are no time: a field that is there must be one (RFC 3339).
Json time_json(const Timestamp& t) {
    return t.utc() && t.year <= 2099 ? Json(t.iso()) : Json(nullptr);
}

void put_address(Json& out, const Address& address) {
    out["address"] = address.digits;
    out["address_type"] = to_string(address.ton);
}

void put_coding(Json& out, std::optional<std::uint8_t> pid, const Dcs& dcs) {
    if (pid) out["pid"] = *pid;
    out["dcs"] = dcs.raw;
    out["encoding"] = encoding_name(dcs);
    if (dcs.message_class) out["class"] = *dcs.message_class;
    if (dcs.compressed) out["compressed"] = true;
    if (dcs.waiting) {
        constexpr const char* kinds[] = {"voicemail", "fax", "email", "other"};
        out["waiting"] = Json{{"active", dcs.waiting->active}, {"kind", kinds[dcs.waiting->kind & 3]}, {"store", dcs.waiting->store}};
    }
}

void put_data(Json& out, const Dcs& dcs, const UserData& data) {
    out["udh"] = udh_json(data.udh);
    if (dcs.compressed || dcs.alphabet == Alphabet::data8) {
        out["data_hex"] = to_hex(data.octets);
    } else {
        out["text"] = data.text;
    }
}

template <class Report>
void put_optional_fields(Json& out, const Report& r) {
    if (r.pid || r.dcs) put_coding(out, r.pid, r.dcs.value_or(Dcs{}));
    if (!r.dcs) out["dcs"] = out["encoding"] = nullptr;
    if (r.data) put_data(out, r.dcs.value_or(Dcs{}), *r.data);
}

Json to_json(const Submit& s, const std::optional<Address>& smsc) {
    Json out = blank("submit", smsc);
    put_address(out, s.to);
    put_coding(out, s.pid, s.dcs);
    put_data(out, s.dcs, s.data);
    out["mr"] = s.mr;
    out["report_requested"] = s.report_request;
    out["validity"] = validity_json(s.validity);
    out["reject_duplicates"] = s.reject_duplicates;
    out["reply_path"] = s.reply_path;
    return out;
}

Json to_json(const Deliver& d, const std::optional<Address>& smsc) {
    Json out = blank("deliver", smsc);
    put_address(out, d.from);
    put_coding(out, d.pid, d.dcs);
    put_data(out, d.dcs, d.data);
    out["timestamp"] = time_json(d.time);
    out["report_requested"] = d.report_indication;
    out["more_to_send"] = d.more_to_send;
    out["reply_path"] = d.reply_path;
    return out;
}

Json to_json(const StatusReport& r, const std::optional<Address>& smsc) {
    Json out = blank("status-report", smsc);
    put_address(out, r.recipient);
    put_optional_fields(out, r);
    out["timestamp"] = time_json(r.time);
    out["mr"] = r.mr;
    out["status"] = r.status;
    out["status_text"] = status_text(r.status);
    out["discharge"] = time_json(r.discharge);
    out["more_to_send"] = r.more_to_send;
    return out;
}

Json to_json(const DeliverReport& r, const std::optional<Address>& smsc) {
    Json out = blank("deliver-report", smsc);
    put_optional_fields(out, r);
    out["failure"] = r.failure ? Json(*r.failure) : Json(nullptr);
    return out;
}

Json to_json(const Pdu& pdu) {
    return std::visit([&](const auto& tpdu) { return to_json(tpdu, pdu.smsc); }, pdu.tpdu);
}

Json to_json(const Error& error) {
    static constexpr std::string_view codes[] = {"",           "bad_hex", "truncated", "trailing",  "bad_address",
                                                 "bad_length", "bad_udh", "bad_type",  "bad_field", "not_encodable"};
    const auto value = static_cast<std::size_t>(error.code.value());
    return Json{
        {"error",
         {{"code", value < std::size(codes) ? codes[value] : "unknown"}, {"message", error.code.message()}, {"field", error.where}}}};
}

/// Without a direction, TP-MTI decides; only 0 can be two types.
Result<Pdu> decode_some_way(std::string_view hex, std::optional<Way> way) {
    if (way) return decode_hex(hex, *way);
    const Result<Octets> octets = from_hex(hex);
    if (!octets) return octets.error();
    const std::size_t first = octets->empty() ? 0 : std::size_t{octets->front()} + 1;
    const int mti = first < octets->size() ? (*octets)[first] & 3 : 0;
    if (mti == 1) return decode(*octets, Way::mobile_originated);
    Result<Pdu> received = decode(*octets, Way::mobile_terminated);
    if (received || mti != 0) return received;
    Result<Pdu> report = decode(*octets, Way::mobile_originated);
    return report ? report : received;
}

std::string without_spaces(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') out.push_back(c);
    }
    return out;
}

int decode_lines(std::optional<Way> way, std::istream& in, std::ostream& out) {
    bool all_good = true;
    for (std::string line; std::getline(in, line);) {
        const Result<Pdu> pdu = decode_some_way(without_spaces(line), way);
        all_good = all_good && pdu.has_value();
        out << dump(pdu ? to_json(*pdu) : to_json(pdu.error())) << '\n';
    }
    return all_good ? 0 : 1;
}

void print_for_people(const Json& json, std::ostream& out) {
    for (const auto& [key, value] : json.items()) {
        if (value.is_null() || key == "udh") continue;
        out << fmt::format("{:<17}", key) << printable(value.is_string() ? value.get<std::string>() : dump(value)) << '\n';
    }
    for (const auto& [key, value] : json.at("udh").items()) {
        if (!value.is_null() && !value.empty()) out << fmt::format("udh {:<13}", key) << dump(value) << '\n';
    }
}

}  // namespace

int pdu_encode(const PduEncodeOptions& options, bool json, std::ostream& out, std::ostream& err) {
    auto plan = plan_of(options, err);
    if (!plan) return 2;
    const auto refuse = [&](const Error& error, std::string_view code) {
        err << "pdu encode: " << error.text() << '\n';
        if (json) out << dump(Json{{"error", {{"code", code}, {"message", error.code.message()}, {"field", error.where}}}}) << '\n';
        return 1;
    };
    const auto segmented = sms::segment(options.text, plan->segmentation);
    if (!segmented) return refuse(segmented.error(), word_of(segmented.error()));
    plan->submit.dcs = parse_dcs(make_dcs(segmented->alphabet, options.flash ? std::optional{0} : std::nullopt));
    std::vector<Encoded> pdus;
    for (const sms::Segment& segment : segmented->segments) {
        plan->submit.data = segment.data;
        auto encoded = encode({.smsc = plan->smsc, .tpdu = plan->submit});
        if (!encoded) return refuse(encoded.error(), "not_encodable");
        pdus.push_back(std::move(*encoded));
    }
    print_encoded(pdus, encoding_name(plan->submit.dcs), json, out);
    return 0;
}

int pdu_decode(std::string hex_or_dash, std::optional<std::string> direction, bool json, std::istream& in, std::ostream& out,
               std::ostream& err) {
    std::optional<Way> way;
    if (direction == "mo") way = Way::mobile_originated;
    if (direction == "mt") way = Way::mobile_terminated;
    if (direction && !way) {
        err << "pdu decode: --direction: mo or mt\n";
        return 2;
    }
    if (hex_or_dash == "-") return decode_lines(way, in, out);
    const Result<Pdu> pdu = decode_some_way(without_spaces(hex_or_dash), way);
    if (!pdu) {
        err << "pdu decode: " << pdu.error().where << ": " << pdu.error().code.message() << '\n';
        if (json) out << dump(to_json(pdu.error())) << '\n';
        return 1;
    }
    const Json decoded = to_json(*pdu);
    if (json) {
        out << dump(decoded) << '\n';
    } else {
        print_for_people(decoded, out);
    }
    return 0;
}

}  // namespace conductor::ctl
