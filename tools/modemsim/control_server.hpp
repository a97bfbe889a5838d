#pragma once
// The control socket: one JSON request a line in, one JSON answer a line out, over a Unix socket.
#include <functional>
#include <memory>
#include <string>

#include "daemon/aio/aio.hpp"

namespace conductor::modemsim {

class ControlServer {
public:
    using Handler = std::function<std::string(const std::string& line)>;
    ControlServer(aio::Executor executor, std::string path, Handler handler);
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;
    /// Listens, mode 0600; a socket that a dead process left is replaced. Empty, or what failed.
    std::string start();
    /// Removes the socket.
    void stop();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// One request to a modemsim that runs, its answer on stdout. Exit code: 0, 1 when it refuses, 3 when nobody answers.
int ask(const std::string& path, const std::string& request);

}  // namespace conductor::modemsim
