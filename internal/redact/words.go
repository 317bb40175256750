package redact

import (
	"strings"
	"sync"
)

// vocabulary returns the words that servers explain themselves in: those of plain English, of HTTP, of logins and registries, and the names of products.
var vocabulary = sync.OnceValue(func() map[string]bool {
	known := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		known[word] = true
	}
	return known
})

const words = `
a able aborted about above accept accepted accepting accepts access accessed accessible accessing account accounts acquire acquired acr across action actions activate activated
activation active activity actor actual actually ad add added adding addition additional address addresses adfs adjust admin administration administrator administrators admins
affected after again against agent ago agree agreement akamai alert alerts alias all allow allowed allowing allows alone already also alternative although always am amazon
amazonaws amount an analysis and annotations anonymous anonymously another answer answered answers any anymore anyone anything apache api apis app appear appears application
applications applied applies apply appropriate approval approve approved apps apr april apt architecture archive archived are area aren argument arguments artifact artifactory
artifacts as ascii ask asked asking assertion assertions assets assigned assignment associated association at attached attempt attempted attempting attempts attribute attributes
aud audience audit aug august auth authenticate authenticated authenticates authenticating authentication authenticator authorisation authorise authorised authority authorization
authorize authorized authorizes authorizing auto automated automatic automatically availability available aws azure back backend bad badly balance bandwidth bare base based basic
batch bazel be bearer became because become been before began begin beginning behalf behind being belong belongs below best better between beyond billing bind binding bitbucket
blacklisted blob blobs blobunknown blobuploadinvalid blobuploadunknown block blocked blocking body bot both bots bound boundary branch branches broken browser browsers bucket
buckets budget build buildbarn buildbuddy builds bundle bundler busy but by bypass bytes cache cached call called caller callers calls came can cancel cancelled cannot capacity
captcha card cargo case catalog cause caused cdn central certificate certificates certified chain challenge challenges change changed changes channel character characters charset
check checked checking checks checksum cheese choose chosen chunk chunked ci circuit claim claims clean clear click client clients clock clone close closed cloud cloudflare
cloudfront cloudsmith cluster cn code codeartifact codes codespace codespaces collaborator collaborators collection colon com come comes comma command commands comment comments
commit commits common community company compatible complete completed completely compliance component composer compute concurrent condition conditional conditions configuration
configure configured configuring confirm confirmation confirmed conflict conflicting conflicts connect connected connecting connection connections consent constraint consult
consumer contact contacting contain container containers contains content contents context continue control controlled controller cookie cookies copied copy copying core correct
corrected correctly corrupt corrupted could couldn count counter country crate crates create created creates creating creation credential credentials critical cross csrf current
currently custom customer d daily data database date dates day days deactivated dead deadline debug dec december declared decline declined decode decoded decoding default defaults
define defined definition delay delayed delete deleted deletes deletion denied denies deny dependabot dependencies dependency depends deploy deployed deployment deployments
deprecated deprecation description desired destination detail details detected determine determined developer developers device devices did didn different differently differs
digest digestinvalid digits direct directly directories directory disable disabled disallowed disconnected discussion discussions disk dispatch display dist distribution dkr dns do
docker dockerhub docs document documentation documents does doesn doing domain domains don done down download downloaded downloading downloads downstream draft dualstack due
duplicate duplicated during dynamic each earlier early east ecr edge edit editor effect either elapsed element elevated email emails emergency empty en enable enabled enables
encode encoded encoding encodings encountered encrypted encryption end ended endpoint endpoints ends enforced enforcement engflow engine english enough ensure enter entered
enterprise enterprises entities entitled entitlement entitlements entity entra entries entry environment environments envoy eof equal error errors essential established etag eu
evaluated even event events every everyone everything exact exactly example exceed exceeded exceeds except exception exceptions exchange exclude excluded execute executed executing
execution exist existing exists exp expect expectation expected expects expiration expire expired expires expiring expiry explain explicit explicitly exposed expression extend
extended extension external extra extract facility fail failed failing fails failure failures false family fastly fatal fault feature features feb february federated federation
feed feeds fetch fetched fetching few field fields file files filled filter filters final finally find fine fingerprint finish finished firewall first fit fix fixed flag flagged
flow flows folded folder folders follow followed following follows for forbidden force forced forgejo forget forgot forgotten fork forks form format formats formatted found
foundation fr frame free frequency frequent frequently fri friday from front full fully function functions further future gar garbage gateway gave gcr gem gems general generate
generated generation generic geo get gets getting ghcr ghes gist git gitea github gitlab give given gives global gmt go goes gone good google googleapis googleusercontent got gpg
gradle grant granted granting grants graph graphql greater group groups guest guests guide had hadn half handle handled handler handling handshake happened haproxy harbor hard has
hash hasn have haven having head header headers health healthy held hello help helper here hex hidden hide high higher history hit hold holder home homepage hook hooks host hosted
hosting hostname hosts hour hourly hours how however html http https hub human i iat icon id identical identification identified identifier identifiers identify identities identity
idle idp if ignore ignored illegal image images immediate immediately immutable impersonate impersonated impersonation implement implemented import improper in inactive include
included includes including incoming incompatible incomplete inconsistent incorrect incorrectly increase index indexed indicated individual info inform information inherited
initial initialized initiate inner input inputs insecure inside inspect install installation installations installed instance instances instead insufficient integer integration
integrations integrity intended interactive interface internal international internet interrupted interval into introspection invalid invalidated invitation invite invited involved
ip ipv4 ipv6 is isn iss issue issued issuer issues istio it item items iteration its itself jan january java jcr jfrog job jobs json jsp jti jul julia july jun june just jwt keep
kerberos key keycloak keys kind know known kubernetes label labels language large larger last late later latest launch layer layers ldap lds lead leading least leave left legacy
length less let letter letters level levels library licence license licensed licenses lifetime like likely limit limitation limited limiting limits line lines link linked links
list listed listen listing lists ll load loaded loading local location locations lock locked lockout locks log logged logging login logins logout logs long longer look looking
looks lookup loop lost low lower machine made magic mail main maintain maintained maintainer maintenance major make makes malformed malicious manage managed management manager
manages mandatory manifest manifestblobunknown manifestinvalid manifests manifestunknown manifestunverified manual manually many map mapping mar march mark marked market
marketplace master match matched matches matching maven max maximum may me mean means measure media member members membership memory mention merge message messages metadata metered
method methods mfa microsoft microsoftonline middleware might migrated migration milliseconds mime min minimum minor minute minutes mirror mirrored mirrors mismatch mismatched
missing mistake mixed mode model moderation modified modify module modules moment mon monday monitor month monthly months moonbit more most mostly mount move moved ms multi
multicast multiple must mutual my name named nameinvalid names namespace namespaces nameunknown native nbf near necessary need needed needs negotiate negotiation neither net
network networks never new newer next nexus nginx no nobody node nodes non nonce none nope nor normal normally north not note nothing notice notification notifications nov november
now npm npmjs ntlm nuget null number numbers numeric numerical nvcr nvidia oauth oauth2 object objects obsolete obtain obtained occur occurred occurs oci oct octet october of off
offer offered offline offset often oidc ok okta old older on once one ones online only onto open opened openid operation operations operator opt option optional options or order
org organisation organization organizational organizations origin original other others otherwise our out outage outdated outside over overload overloaded override own owned owner
owners ownership package packages page pages parameter parameters parent parse parsed parser parsing part partial particular partner parts party pass passed passing password
passwords past pat patch path paths pattern pause paused pay payload payment peer pending people per perform performed period permanent permanently permission permissions permit
permits permitted person personal pesde php pin ping pip pipe pipeline pipelines place plain plan plans platform platforms please plugin plus point points policies policy pool port
portal ports possible possibly post postpone powered pre precondition prefix preflight premium present presented preview previous previously primary principal principals priority
private privilege privileged privileges probably problem problems proceed process processed processing product production products profile profiles program prohibited project
projects promote prompt proof proper properly properties property protect protected protection protocol protocols prove provide provided provider providers provides providing
provision provisioned proxies proxy public publication publish published publisher publishing pull pulled pulling pulls purchase purge purpose push pushed pushes pushing put pypi
python quarantine quarantined quay queries query question queue queued quick quickly quota quotas radius range ranges rate rates rather raw re reach reachable reached reaction read
readable reader readfrom reading readonly reads ready realm reason reasons receive received recent recently recognized record records recover recovery recreate redacted redirect
redirected redirection redirects reduce refer reference referenced references referrer referrers refresh refreshed refreshing refusal refuse refused refuses regarding regenerate
region regional regions register registered registration registries registry regular reissue reject rejected rejects related relation relative release released releases reload
remain remaining remains remote removal remove removed renamed renew renewal renewed repeat repeated replace replaced replay replica repo report reported reporting reports repos
repositories repository represent representation representing represents request requested requester requesting requests require required requirement requirements requires reserved
reset resets resolution resolve resolved resolves resource resources respond responded responding responds response responses responsible rest restart restore restrict restricted
restriction restrictions result results resume retired retries retry retrying return returned returns reuse reused review revision revocation revoke revoked right rights role roles
root rotate rotated rotation route routed router routes row rpc rubygems rule rules run runner runners running runs runtime s s3 safe same saml sandbox sat saturday save saved say
says scale scan scanned scanning schedule scheduled schema scheme schemes scim scope scoped scopes script search second secondary seconds secret secrets section secure secured
security see seem seems seen select selected selection self send sending sends sensitive sent sep separate september sequence series server servers service services serving session
sessions set sets setting settings setup several sha sha1 sha256 sha512 shared sharing shell short should shouldn show showing shown shows shut side sign signature signatures
signed signer signin signing signs signup similar simple simultaneous since single site sites size sizeinvalid sizes skew slow slower small smaller smtp snapshot snippet snippets
so socket software solution some someone something sonatype soon sorry source sources south space special specific specification specified specify spelling spent sponsor srv ssh
ssl sso stack stale standard stars start started starting starts state statement static status statuses step steps still stop stopped storage store stored stout strategy stream
streams strict string strings strong structure sub subject submit submitted subscribe subscribed subscriber subscription subscriptions subset succeed succeeded success successful
successfully such suffix suitable sun sunday sunset super support supported supporting supports suspend suspended suspension suspiciously switch sync synchronized syntax system
systems t table tag tagged taginvalid tags take taken takes target targets task tcp team teams teapot technical temporarily temporary tenant tenants term terminated termination
terms test text than thank thanks that the their them then there therefore these they thing things third this those though threads three threshold throttle throttled throttling
through thu thursday tier time timed timeout timeouts times timestamp tls to today together token tokens too took tool tools toomanyrequests top total totp touch track traefik
traffic trailer trailing transaction transfer transferred transient transport tree trial tried trigger triggered trouble true truncated trust trusted try trying tue tuesday turn
twice two type typed types udp ui unable unacceptable unaccepted unauthenticated unauthorised unauthorized unavailable unchanged undefined under understand understood undocumented
unexpected unhealthy unified unit units unknown unless unlicensed unlimited unlock unlocked unprocessable unreachable unreadable unrecognized unsafe unsigned unsolicited
unspecified unsubscribed unsupported until untrusted unusual unverified up update updated updates upgrade upgraded upload uploaded uploading uploads upstream uri uris url urls us
usage use used user username usernames users uses using usual usually utc utf valid validate validated validating validation validity value values variable various ve vendor
verification verified verifies verify verifying version versions via view viewer violated violates violation virtual visibility visible visit volume vpn vulnerabilities
vulnerability wait waiting want wants warning was wasn way ways we weak web webhook webhooks website wed wednesday week weeks well went were weren west what when where whether
which while white whitelist whitelisted whitespace who whoami whole whom whose why wide wiki wildcard will window windows with within without won word work worked worker workers
workflow workflows working workload works workspace workspaces world worse would wouldn write writer writes writing written wrong wrote www x x509 y year years yes yet yml you your
yours yourself z zero zone
`
