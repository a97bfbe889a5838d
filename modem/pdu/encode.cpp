// TPDUs to octets, TS 23.040 §9.2.2.
#include "modem/pdu/fields.hpp"

namespace conductor::pdu {
namespace {

constexpr std::uint8_t flag(bool set, int n) {
    return static_cast<std::uint8_t>(set ? 1u << n : 0u);
}

/// TP-VPF, already in its place in the first octet.
std::uint8_t validity_format(const Validity& validity) {
    constexpr std::uint8_t none = 0x00, relative = 0x10, absolute = 0x18, enhanced = 0x08;
    return std::visit(overloaded{[](const NoValidity&) { return none; }, [](const RelativeValidity&) { return relative; },
                                 [](const AbsoluteValidity&) { return absolute; }, [](const EnhancedValidity&) { return enhanced; }},
                      validity);
}

Result<void> write_validity(Octets& out, const Validity& validity) {
    if (const auto* relative = std::get_if<RelativeValidity>(&validity)) out.push_back(relative->octet);
    if (const auto* absolute = std::get_if<AbsoluteValidity>(&validity)) return write_timestamp(out, absolute->until, "TP-VP");
    if (const auto* enhanced = std::get_if<EnhancedValidity>(&validity)) {
        out.insert(out.end(), std::begin(enhanced->octets), std::end(enhanced->octets));
    }
    return {};
}

Result<void> write_pid_dcs(Octets& out, std::uint8_t pid, const Dcs& dcs) {
    const Result<std::uint8_t> octet = dcs_octet(dcs);
    if (!octet) return octet.error();
    out.push_back(pid);
    out.push_back(*octet);
    return {};
}

Result<void> write(Octets& out, const Submit& s) {
    out.push_back(static_cast<std::uint8_t>(0x01 | flag(s.reject_duplicates, 2) | validity_format(s.validity) | flag(s.report_request, 5) |
                                            flag(has_header(s.data), 6) | flag(s.reply_path, 7)));
    out.push_back(s.mr);
    if (auto done = write_address(out, s.to, "TP-DA"); !done) return done;
    if (auto done = write_pid_dcs(out, s.pid, s.dcs); !done) return done;
    if (auto done = write_validity(out, s.validity); !done) return done;
    return write_user_data(out, s.dcs, s.data, most_user_data);
}

Result<void> write(Octets& out, const Deliver& d) {
    out.push_back(static_cast<std::uint8_t>(flag(!d.more_to_send, 2) | flag(d.loop_prevention, 3) | flag(d.report_indication, 5) |
                                            flag(has_header(d.data), 6) | flag(d.reply_path, 7)));
    if (auto done = write_address(out, d.from, "TP-OA"); !done) return done;
    if (auto done = write_pid_dcs(out, d.pid, d.dcs); !done) return done;
    if (auto done = write_timestamp(out, d.time, "TP-SCTS"); !done) return done;
    return write_user_data(out, d.dcs, d.data, most_user_data);
}

/// TP-PI and the fields that it announces; Report is a StatusReport or a DeliverReport.
template <class Report>
Result<void> write_optional_fields(Octets& out, const Report& r, std::size_t most) {
    out.push_back(static_cast<std::uint8_t>(flag(r.pid.has_value(), 0) | flag(r.dcs.has_value(), 1) | flag(r.data.has_value(), 2)));
    if (r.pid) out.push_back(*r.pid);
    const Dcs dcs = r.dcs.value_or(Dcs{});
    if (r.dcs) {
        const Result<std::uint8_t> octet = dcs_octet(dcs);
        if (!octet) return octet.error();
        out.push_back(*octet);
    }
    if (r.data) return write_user_data(out, dcs, *r.data, most);
    return {};
}

Result<void> write(Octets& out, const StatusReport& r) {
    out.push_back(static_cast<std::uint8_t>(0x02 | flag(!r.more_to_send, 2) | flag(r.loop_prevention, 3) | flag(r.command, 5) |
                                            flag(r.data && has_header(*r.data), 6)));
    out.push_back(r.mr);
    if (auto done = write_address(out, r.recipient, "TP-RA"); !done) return done;
    if (auto done = write_timestamp(out, r.time, "TP-SCTS"); !done) return done;
    if (auto done = write_timestamp(out, r.discharge, "TP-DT"); !done) return done;
    out.push_back(r.status);
    if (!r.pid && !r.dcs && !r.data) return {};
    return write_optional_fields(out, r, most_user_data);
}

Result<void> write(Octets& out, const DeliverReport& r) {
    out.push_back(flag(r.data && has_header(*r.data), 6));
    if (r.failure) {
        if (*r.failure < 0x80) return fail(PduErrc::bad_field, "TP-FCS");
        out.push_back(*r.failure);
    }
    return write_optional_fields(out, r, r.failure ? most_report_data - 1 : most_report_data);
}

}  // namespace

Result<Encoded> encode(const Pdu& pdu) {
    Encoded out;
    if (auto done = write_service_centre(out.octets, pdu.smsc); !done) return done.error();
    const std::size_t begin = out.octets.size();
    const Result<void> done = std::visit([&](const auto& tpdu) { return write(out.octets, tpdu); }, pdu.tpdu);
    if (!done) return done.error();
    out.tpdu_length = out.octets.size() - begin;
    return out;
}

}  // namespace conductor::pdu
