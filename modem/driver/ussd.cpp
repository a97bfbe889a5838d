#include "modem/driver/ussd.hpp"

#include "modem/driver/modem_impl.hpp"
#include "modem/pdu/gsm7.hpp"
#include "modem/pdu/unicode.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;

namespace {

std::string from_ucs2(const pdu::Octets& octets) {
    std::vector<std::uint16_t> units;
    for (std::size_t i = 0; i + 1 < octets.size(); i += 2) units.push_back(static_cast<std::uint16_t>(octets[i] << 8 | octets[i + 1]));
    return pdu::utf16_to_utf8(units);
}

std::string from_packed(const pdu::Octets& octets) {
    auto septets = pdu::unpack(octets, octets.size() * 8 / 7);
    if (!septets.empty() && septets.size() % 8 == 0 && (septets.back() == '\r' || septets.back() == 0)) septets.pop_back();
    return pdu::Gsm7{}.decode(septets);
}

/// UCS-2 of Latin text: every other octet is 0.
bool looks_like_ucs2(const pdu::Octets& octets) {
    if (octets.size() < 4 || octets.size() % 2 != 0) return false;
    std::size_t zeros = 0;
    for (std::size_t i = 0; i < octets.size(); i += 2) zeros += octets[i] < 0x07 ? 1U : 0U;
    return zeros * 2 >= octets.size() / 2;
}

}  // namespace

std::string ussd_text(const at::Ussd& answer, bool packed_expected) {
    const auto octets =
        at::is_hex(answer.text) && answer.text.size() >= 4 ? pdu::from_hex(answer.text) : Result<pdu::Octets>{pdu::Octets{}};
    if (!octets || octets->empty()) return answer.text;
    const int dcs = answer.dcs.value_or(15);
    const bool says_ucs2 = dcs == 17 || (dcs & 0xcc) == 0x48;
    if ((says_ucs2 && octets->size() % 2 == 0) || looks_like_ucs2(*octets)) return from_ucs2(*octets);
    // Digits alone ("12345678") are a text unless the family is known to pack.
    const bool only_digits = answer.text.find_first_not_of("0123456789") == std::string::npos;
    return packed_expected || !only_digits ? from_packed(*octets) : answer.text;
}

std::optional<std::string> pack_ussd(std::string_view code) {
    const auto characters = pdu::from_utf8(code);
    if (!characters) return std::nullopt;
    pdu::Septets septets;
    const pdu::Gsm7 alphabet;
    for (const char32_t c : *characters)
        if (!alphabet.append(c, septets)) return std::nullopt;
    if (septets.size() % 8 == 7) septets.push_back('\r');
    return pdu::to_hex(pdu::pack(septets));
}

/// The code goes as text, and packed where the family wants that or refuses text (T43). The answer is a URC, before or after OK (T41).
aio::awaitable<Result<AtAnswer>> Modem::Impl::run_ussd(std::string code) {
    if (code.empty() || code.find_first_of("\"\r\n\x1a\x1b") != std::string::npos) co_return fail(at::AtErrc::forbidden, "ussd");
    const auto packed = pack_ussd(code);
    std::vector<std::string> forms = {code};
    if (packed) forms.insert(profile_->ussd_packed ? forms.begin() : forms.end(), *packed);
    ussd_answer_.reset();
    std::optional<at::FinalResult> refused;
    for (const std::string& form : forms) {
        const auto reply = co_await session_->run("+CUSD=1,\"" + form + "\",15");
        if (!reply) co_return reply.error();
        if (!reply->ok()) {
            refused = reply->final;
            continue;
        }
        const Instant until = BootClock::now() + 30s;
        for (;;) {
            const auto is_answer = [](const at::Urc& urc) { return std::holds_alternative<at::Ussd>(urc); };
            const auto found = std::ranges::find_if(inbox_->urcs, is_answer);
            if (found != inbox_->urcs.end()) {
                ussd_answer_ = std::get<at::Ussd>(*found);
                inbox_->urcs.erase(found);
            }
            if (ussd_answer_) break;
            if (condition() != End::ok) co_return fail(at::AtErrc::lost, "ussd");
            if (BootClock::now() >= until) {
                co_await tell("+CUSD=2");
                co_return fail(at::AtErrc::timeout, "ussd");
            }
            co_await session_->listen_until(until);
        }
        AtAnswer answer;
        answer.final_result = ussd_text(*ussd_answer_, profile_->ussd_packed);
        answer.lines.push_back(std::to_string(ussd_answer_->status));
        co_return answer;
    }
    co_return fail(at::AtErrc::refused, "ussd " + at::word(refused.value_or(at::FinalResult{})));
}

}  // namespace conductor::driver
