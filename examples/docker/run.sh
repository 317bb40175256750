#!/bin/sh
# One login for Docker and Bazel: docker login keeps it with credential-helper, in the system's keyring and not in plain text.
#
#   echo "$PASSWORD" | run.sh REGISTRY USER IMAGE
#
# IMAGE is one that the user may read: run.sh registry.example.com alice team/app:v1
# A machine without a keyring keeps the logins in an encrypted file: see CREDENTIAL_HELPER_KEYRING in docs/docker.md.
# Set PLAIN_HTTP=1 for a registry on this machine.
set -eu

registry=$1
user=$2
image=$3
scheme=https
insecure=
if [ "${PLAIN_HTTP-}" = 1 ]; then
	scheme=http
	insecure=--insecure
fi

# Once for each machine: a link beside the program, and "credsStore" in Docker's configuration.
credential-helper install docker

# Docker reads the password on standard input, and hands it to credential-helper.
docker login --username "$user" --password-stdin "$registry"

# Docker, and every client that reads its configuration, has the login from there.
docker manifest inspect $insecure "$registry/$image" >/dev/null
echo "docker reads $registry/$image"

# So has Bazel. A rule for the registry says how it is used: {"host": "registry.example.com", "helper": "oci"}
credential-helper check "$scheme://$registry/v2/${image%:*}/manifests/${image##*:}"

# And this is the end of it.
docker logout "$registry"
credential-helper uninstall docker
