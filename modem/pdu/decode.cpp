// Octets to TPDUs, TS 23.040 §9.2.2.
#include <algorithm>

#include "modem/pdu/fields.hpp"

namespace conductor::pdu {
namespace {

constexpr std::uint8_t bit(int n) {
    return static_cast<std::uint8_t>(1u << n);
}

Validity read_validity(Reader& in, unsigned format) {
    switch (format) {
        case 2: return RelativeValidity{in.octet("TP-VP")};
        case 3: return AbsoluteValidity{read_timestamp(in, "TP-VP")};
        case 1: {
            EnhancedValidity enhanced;
            std::ranges::copy(in.take(sizeof enhanced.octets, "TP-VP"), enhanced.octets);
            return enhanced;
        }
        default: return NoValidity{};
    }
}

Submit read_submit(Reader& in, std::uint8_t first) {
    Submit s;
    s.reject_duplicates = first & bit(2);
    s.report_request = first & bit(5);
    s.reply_path = first & bit(7);
    s.mr = in.octet("TP-MR");
    s.to = read_address(in, "TP-DA");
    s.pid = in.octet("TP-PID");
    s.dcs = parse_dcs(in.octet("TP-DCS"));
    s.validity = read_validity(in, first >> 3 & 3u);
    s.data = read_user_data(in, s.dcs, first & bit(6), most_user_data);
    return s;
}

Deliver read_deliver(Reader& in, std::uint8_t first) {
    Deliver d;
    d.more_to_send = !(first & bit(2));
    d.loop_prevention = first & bit(3);
    d.report_indication = first & bit(5);
    d.reply_path = first & bit(7);
    d.from = read_address(in, "TP-OA");
    d.pid = in.octet("TP-PID");
    d.dcs = parse_dcs(in.octet("TP-DCS"));
    d.time = read_timestamp(in, "TP-SCTS");
    d.data = read_user_data(in, d.dcs, first & bit(6), most_user_data);
    return d;
}

/// The fields that TP-PI announces; Report is a StatusReport or a DeliverReport.
template <class Report>
void read_optional_fields(Reader& in, std::uint8_t indicator, Report& r, bool has_header, std::size_t most) {
    for (std::uint8_t more = indicator; more & bit(7) && in.ok();) more = in.octet("TP-PI");
    if (indicator & bit(0)) r.pid = in.octet("TP-PID");
    if (indicator & bit(1)) r.dcs = parse_dcs(in.octet("TP-DCS"));
    if (indicator & bit(2)) r.data = read_user_data(in, r.dcs.value_or(Dcs{}), has_header, most);
}

StatusReport read_status_report(Reader& in, std::uint8_t first) {
    StatusReport r;
    r.more_to_send = !(first & bit(2));
    r.loop_prevention = first & bit(3);
    r.command = first & bit(5);
    r.mr = in.octet("TP-MR");
    r.recipient = read_address(in, "TP-RA");
    r.time = read_timestamp(in, "TP-SCTS");
    r.discharge = read_timestamp(in, "TP-DT");
    r.status = in.octet("TP-ST");
    // Storage padded with FF is no TP-PI, whose bit 7 would announce a second octet that nobody defines.
    const bool padded = std::ranges::all_of(in.rest(), [](std::uint8_t octet) { return octet == 0xFF; });
    if (in.ok() && !padded) read_optional_fields(in, in.octet("TP-PI"), r, first & bit(6), most_user_data);
    return r;
}

DeliverReport read_deliver_report(Reader& in, std::uint8_t first) {
    DeliverReport r;
    // TP-FCS is 80-FF and stands in reports for RP-ERROR alone; TP-PI with its extension bit set is not in use.
    const std::uint8_t next = in.octet("TP-PI");
    if (next & bit(7)) r.failure = next;
    const std::uint8_t indicator = r.failure ? in.octet("TP-PI") : next;
    read_optional_fields(in, indicator, r, first & bit(6), most_report_data);
    return r;
}

Tpdu read_tpdu(Reader& in, Way way) {
    const std::size_t begin = in.at();
    const std::uint8_t first = in.octet("TP-MTI");
    if (!in.ok()) return Deliver{};
    if (way == Way::mobile_terminated) {
        switch (first & 3) {
            case 0:
            case 3: return read_deliver(in, first);  // §9.2.3.1: the reserved type is processed as SMS-DELIVER
            case 2: return read_status_report(in, first);
            default: break;
        }
    } else {
        switch (first & 3) {
            case 0: return read_deliver_report(in, first);
            case 1: return read_submit(in, first);
            default: break;
        }
    }
    in.stop(PduErrc::bad_type, "TP-MTI", begin);
    return Deliver{};
}

}  // namespace

Result<Pdu> decode(View octets, Way way) {
    Reader in{octets};
    Pdu pdu;
    pdu.smsc = read_service_centre(in);
    pdu.tpdu = read_tpdu(in, way);
    if (in.ok() && in.left() > 0) in.stop(PduErrc::trailing, "TPDU", in.at());
    if (!in.ok()) return in.error();
    return pdu;
}

}  // namespace conductor::pdu
