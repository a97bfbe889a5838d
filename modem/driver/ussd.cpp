#include "modem/at/ussd.hpp"

#include "modem/driver/modem_impl.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;

/// The code goes as text, and packed where the family wants that or refuses text (T43). The answer is a URC, before or after OK (T41).
aio::awaitable<Result<AtAnswer>> Modem::Impl::run_ussd(std::string code) {
    if (code.empty() || code.find_first_of("\"\r\n\x1a\x1b") != std::string::npos) co_return fail(at::AtErrc::forbidden, "ussd");
    const auto packed = at::pack_ussd(code);
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
        answer.final_result = at::ussd_text(*ussd_answer_, profile_->ussd_packed);
        answer.lines.push_back(std::to_string(ussd_answer_->status));
        co_return answer;
    }
    co_return fail(at::AtErrc::refused, "ussd " + at::word(refused.value_or(at::FinalResult{})));
}

}  // namespace conductor::driver
