#pragma once
// One run of conductorctl against the daemon: calls, exit codes, and the two forms of output.
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "tools/conductorctl/client.hpp"
#include "tools/conductorctl/output.hpp"

namespace conductor::ctl {

/// CONTRACT part 6.
enum Exit : int { done = 0, failed = 1, usage = 2, unreachable = 3, not_found = 4, refused = 5 };

class Session {
public:
    Session(Io& io_, std::string socket, bool json_) : io{io_}, json{json_}, client{std::move(socket)} {}
    Io& io;
    bool json;
    Client client;

    bool colours() const { return io.out_is_terminal; }
    /// The daemon's answer when it is 200 or 202. Otherwise `code` is the exit code and the error is told already:
    /// with --json as one document on stdout, else as a sentence on stderr.
    std::optional<nlohmann::json> call(std::string_view method, const std::string& path, const nlohmann::json* body = nullptr,
                                       std::chrono::seconds limit = std::chrono::seconds{60});
    /// call(), and with --json the answer is printed as it came: then, and after an error, the result is empty and `code` says the rest.
    std::optional<nlohmann::json> show(std::string_view method, const std::string& path, const nlohmann::json* body = nullptr,
                                       std::chrono::seconds limit = std::chrono::seconds{60});
    int code = done;

    /// Tells an error of ours as call() tells the daemon's.
    int fail(int exit_code, std::string_view error_code, const std::string& message);
    /// Tells a refusal that came as an answer; the exit code.
    int tell(const Client::Reply& reply);

private:
    std::optional<std::string> raw(std::string_view method, const std::string& path, const nlohmann::json* body,
                                   std::chrono::seconds limit);
};

/// An argument that goes to a modem or names one: not empty, and no control character in it.
bool one_line(std::string_view argument);

/// 404 is 4; 401, 403, 409, 422 are 5; every other error is 1.
int exit_code_of(int http_status);

}  // namespace conductor::ctl
