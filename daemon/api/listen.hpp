#pragma once
// Listening sockets: the Unix socket with its owner, group and stale file; and what an address for TCP may be.
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <string>

#include "daemon/aio/aio.hpp"

namespace conductor::api {

enum class ApiErrc {
    already_running = 1,
    lock,
    bind,
    path_too_long,
    not_a_socket,
    address,
    tls_required,
    tls_unsupported,
    no_tokens,
    tokens
};
const char* errc_library(ApiErrc);
std::string_view describe(ApiErrc e);

using LocalAcceptor = boost::asio::basic_socket_acceptor<boost::asio::local::stream_protocol, aio::Executor>;
using TcpAcceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, aio::Executor>;

/// The Unix socket at `path`, mode 0660, group `group` where that exists and we may give it. A second daemon on the same path is refused
/// (a lock on PATH.lock, held as long as this lives); the file that a killed daemon left is replaced. The destructor removes the file.
class ControlSocket {
public:
    ControlSocket(aio::Executor ex) : acceptor_{std::move(ex)} {}
    ~ControlSocket() { close(); }
    ControlSocket(const ControlSocket&) = delete;
    ControlSocket& operator=(const ControlSocket&) = delete;
    Result<void> open(const std::string& path, const std::string& group, Log log);
    void close();
    LocalAcceptor& acceptor() { return acceptor_; }

private:
    Result<void> lock();
    Result<void> remove_stale();
    LocalAcceptor acceptor_;
    std::string path_;
    int lock_ = -1;
};

/// "127.0.0.1:8026" or "[::1]:8026"; no names, so that nothing depends on DNS.
Result<boost::asio::ip::tcp::endpoint> parse_listen(const std::string& listen);
Result<TcpAcceptor> open_tcp(aio::Executor ex, const boost::asio::ip::tcp::endpoint& endpoint);

}  // namespace conductor::api
