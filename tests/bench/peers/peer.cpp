// A plain gRPC service in C++ over PostgreSQL, as a company would write it: gRPC's own threads, a pool of connections, one prepared statement
// that logs and reads in one transaction a request, mutual TLS. No policy, no proof, no delivery later; what one of our deliveries is
// measured against.
//
//   peer_cpp ADDRESS CERTIFICATES-DIR CA-FILE DSN CONNECTIONS        (prints `ready` when it serves; ends on SIGTERM)

#include "peer.grpc.pb.h"

#include <grpcpp/grpcpp.h>
#include <libpq-fe.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr char statement[] =
	"WITH l AS (INSERT INTO bench.log (actor, subject_id, recipient_id, service, fields) VALUES ($1, $2, $3, $4, $5) RETURNING id) "
	"SELECT l.id, c.given_name, c.home_address, c.phone FROM l, share.client AS c WHERE c.subject_id = $2";

// As many as are given, each lent to one request at a time.
class Pool {
public:
	Pool(const std::string &dsn, int size)
	{
		for (int i = 0; i < size; i++) {
			PGconn *connection = PQconnectdb(dsn.c_str());
			if (PQstatus(connection) != CONNECTION_OK) {
				std::fprintf(stderr, "peer_cpp: %s", PQerrorMessage(connection));
				std::exit(1);
			}
			PQclear(PQprepare(connection, "get", statement, 5, nullptr));
			free_.push_back(connection);
		}
	}
	PGconn *take()
	{
		std::unique_lock<std::mutex> lock(mutex_);
		given_back_.wait(lock, [this] { return !free_.empty(); });
		PGconn *connection = free_.back();
		free_.pop_back();
		return connection;
	}
	void give_back(PGconn *connection)
	{
		{
			std::lock_guard<std::mutex> lock(mutex_);
			free_.push_back(connection);
		}
		given_back_.notify_one();
	}

private:
	std::mutex mutex_;
	std::condition_variable given_back_;
	std::vector<PGconn *> free_;
};

class Clients final : public peer::Clients::Service {
public:
	explicit Clients(Pool &pool) : pool_(pool) {}

private:
	Pool &pool_;

	grpc::Status Get(grpc::ServerContext *context, const peer::GetRequest *request, peer::GetResponse *response) override
	{
		const auto names = context->auth_context()->GetPeerIdentity();
		const std::string actor = names.empty() ? "" : std::string(names[0].data(), names[0].size());
		const char *values[] = { actor.c_str(), request->subject_id().c_str(), request->recipient_id().c_str(),
			request->service().c_str(), "{client.given_name,client.home_address,client.phone}" };
		PGconn *connection = pool_.take();
		PGresult *result = PQexecPrepared(connection, "get", 5, values, nullptr, nullptr, 0);
		pool_.give_back(connection);
		grpc::Status status;
		if (PQresultStatus(result) != PGRES_TUPLES_OK)
			status = grpc::Status(grpc::StatusCode::UNAVAILABLE, "the database does not answer");
		else if (PQntuples(result) != 1)
			status = grpc::Status(grpc::StatusCode::NOT_FOUND, "no such client");
		else {
			response->set_log_id(std::atoll(PQgetvalue(result, 0, 0)));
			response->set_given_name(PQgetvalue(result, 0, 1));
			response->set_home_address(PQgetvalue(result, 0, 2));
			response->set_phone(PQgetvalue(result, 0, 3));
		}
		PQclear(result);
		return status;
	}
};

std::string file(const std::string &path)
{
	std::ifstream stream(path);
	std::ostringstream text;
	text << stream.rdbuf();
	return text.str();
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 6) {
		std::fprintf(stderr, "usage: peer_cpp ADDRESS CERTIFICATES-DIR CA-FILE DSN CONNECTIONS\n");
		return 2;
	}
	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, nullptr);

	const std::string certificates = argv[2];
	grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
	options.pem_root_certs = file(argv[3]);
	options.pem_key_cert_pairs = { { file(certificates + "/server.key"), file(certificates + "/server.crt") } };

	Pool pool(argv[4], std::atoi(argv[5]));
	Clients clients(pool);
	grpc::ServerBuilder builder;
	builder.AddListeningPort(argv[1], grpc::SslServerCredentials(options));
	builder.RegisterService(&clients);
	std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
	if (!server)
		return 1;
	std::puts("ready");
	std::fflush(stdout);
	int number;
	sigwait(&ends, &number);
	server->Shutdown();
	return 0;
}
