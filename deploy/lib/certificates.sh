# A development CA and what it signs: ECDSA P-256, 90 days. A real installation has a CA of its own.
# shellcheck shell=bash

trust_domain=maison-claire.example

# new_certificate CERTIFICATE KEY COMMON_NAME OPTIONS...: a new key and its certificate.
# The configuration is empty, so that no extension comes from the system's.
new_certificate() {
	local certificate=$1 key=$2 common_name=$3
	shift 3
	# Key and certificate are moved into place whole: a daemon that reloads never sees half of one.
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 90 -utf8 \
		-config <(printf '[req]\ndistinguished_name=dn\n[dn]\n') -subj "/O=Maison Claire/CN=$common_name" \
		-set_serial "0x$(openssl rand -hex 16 | sed 's/^./4/')" \
		-keyout "$key.new" -out "$certificate.new" "$@" 2>/dev/null || {
		rm -f "$key.new" "$certificate.new"
		die "openssl could not make $certificate" "is openssl 3 installed? (deploy/install-packages run)"
	}
	mv "$key.new" "$key"
	mv "$certificate.new" "$certificate"
}

# new_ca DIR: DIR/ca/ca.key, which stays with whoever called us, and DIR/certs/ca.crt.
new_ca() {
	new_certificate "$1/certs/ca.crt" "$1/ca/ca.key" "Sandbox CA" \
		-addext basicConstraints=critical,CA:true,pathlen:0 -addext keyUsage=critical,keyCertSign,cRLSign \
		-addext subjectKeyIdentifier=hash
}

# signed DIR NAME SAN USAGE
signed() {
	new_certificate "$1/certs/$2.crt" "$1/certs/$2.key" "$2" -CA "$1/certs/ca.crt" -CAkey "$1/ca/ca.key" \
		-addext basicConstraints=critical,CA:false -addext keyUsage=critical,digitalSignature \
		-addext "extendedKeyUsage=$4" -addext "subjectAltName=$3" \
		-addext subjectKeyIdentifier=hash -addext authorityKeyIdentifier=keyid
}

new_server_certificate() {
	signed "$1" server DNS:localhost,IP:127.0.0.1,IP:::1 serverAuth
}

# new_client_certificate DIR ROLE NAME [DEVICE]: prints the file's name without `.crt`.
new_client_certificate() {
	local dir=$1 role=$2 name=$3 device=${4:-}
	local file=$name${device:+-$device} uri=spiffe://$trust_domain/$role/$name${device:+/$device}
	if [[ -e $dir/certs/$file.crt ]] && ! certificate_uri "$dir/certs/$file.crt" | grep -qxF "$uri"; then
		die "$dir/certs/$file.crt exists and is $(certificate_uri "$dir/certs/$file.crt")'s" "choose another name"
	fi
	signed "$dir" "$file" "URI:$uri" clientAuth
	echo "$file"
}

certificate_uri() {
	openssl x509 -in "$1" -noout -ext subjectAltName | sed -n 's/^ *URI://p'
}
