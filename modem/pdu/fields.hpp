#pragma once
// The fields that TPDUs share, read and written. Inner part of the codec: other folders use pdu.hpp.
#include <string_view>

#include "modem/pdu/pdu.hpp"

namespace conductor::pdu {

/// Reads octets in order. The first error sticks: later reads give zeros, so that a decoder reads straight through and asks once.
class Reader {
public:
    explicit Reader(View all) : all_{all} {}

    std::size_t at() const { return at_; }
    std::size_t left() const { return all_.size() - at_; }
    View rest() const { return all_.subspan(at_); }
    bool ok() const { return !failed_; }
    const Error& error() const { return error_; }

    std::uint8_t octet(std::string_view field) {
        const View one = take(1, field);
        return one.empty() ? std::uint8_t{0} : one[0];
    }
    /// `count` octets, or none and `truncated` at the field's first octet.
    View take(std::size_t count, std::string_view field) {
        if (failed_) return {};
        if (left() < count) {
            stop(PduErrc::truncated, field, at_);
            return {};
        }
        at_ += count;
        return all_.subspan(at_ - count, count);
    }
    void stop(PduErrc code, std::string_view field, std::size_t at) {
        if (failed_) return;
        failed_ = true;
        error_ = fail(code, field, at);
    }

private:
    View all_;
    std::size_t at_ = 0;
    bool failed_ = false;
    Error error_;
};

/// Most octets of TP-UD in each type (§9.2.2).
constexpr std::size_t most_user_data = 140;
constexpr std::size_t most_report_data = 159;  ///< SMS-DELIVER-REPORT for RP-ACK; 158 for RP-ERROR

Address read_address(Reader& in, std::string_view field);      ///< TP-OA, TP-DA, TP-RA
std::optional<Address> read_service_centre(Reader& in);        ///< length in octets; 0 = none
Timestamp read_timestamp(Reader& in, std::string_view field);  ///< 7 octets
/// TP-UDL and TP-UD.
UserData read_user_data(Reader& in, const Dcs& dcs, bool has_header, std::size_t most);

Result<void> write_address(Octets& out, const Address& address, std::string_view field);
Result<void> write_service_centre(Octets& out, const std::optional<Address>& address);
Result<void> write_timestamp(Octets& out, const Timestamp& t, std::string_view field);
/// The TP-DCS octet; bad_field when its parts contradict each other.
Result<std::uint8_t> dcs_octet(const Dcs& dcs);
Result<void> write_user_data(Octets& out, const Dcs& dcs, const UserData& data, std::size_t most);
/// Does the user data begin with a header (TP-UDHI)?
inline bool has_header(const UserData& data) {
    return !data.udh.empty() || !data.broken_header.empty();
}

}  // namespace conductor::pdu
