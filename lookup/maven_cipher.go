package lookup

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/fe055d52/credential-helper/helpers"
)

// mavenMaster is what Maven encrypts its master password with: the name of the system property that names the file.
const mavenMaster = "settings.security"

// maxRelocations is how often one settings-security.xml may name another.
const maxRelocations = 8

// mavenEncrypted returns the text in a password's braces, by which Maven knows that it is encrypted; text around them is a comment.
// A brace behind a backslash is none.
func mavenEncrypted(password string) (inner string, ok bool) {
	start := -1
	for i := range len(password) {
		escaped := i > 0 && password[i-1] == '\\'
		switch {
		case password[i] == '{' && start < 0 && !escaped:
			start = i + 1
		case password[i] == '}' && start >= 0 && i > start && !escaped:
			return password[start:i], true
		}
	}
	return "", false
}

// decrypt returns the password that Maven 3 encrypted (https://maven.apache.org/guides/mini/guide-encryption.html): with the master password,
// which is in ~/.m2/settings-security.xml, encrypted with a word that everybody knows. No error quotes either.
func (m maven) decrypt(ctx context.Context, inner string) (string, error) {
	if strings.HasPrefix(inner, "[") {
		return "", errors.New("it is encrypted by a plugin of Maven's, or by Maven 4, which is not supported")
	}
	path := m.home(".m2", "settings-security.xml")
	if path == "" {
		return "", errors.New("it is encrypted, and without a home directory there is no settings-security.xml")
	}
	for range maxRelocations {
		data, shown, found, err := m.readNative(ctx, path)
		if err != nil {
			return "", err
		}
		if !found {
			return "", fmt.Errorf("it is encrypted, and %s, which has the master password, does not exist", shown)
		}
		root, err := parseXML(shown, data, "settingsSecurity")
		if err != nil {
			return "", fmt.Errorf("reading the master password: %w", err)
		}
		if next := root.value("relocation"); next != "" {
			// Maven takes it from the home directory where it begins with ~, else from the working directory.
			if path, err = m.expandPath(next); err != nil {
				return "", fmt.Errorf("reading the master password: %s: %w", shown, err)
			}
			continue
		}
		sealed, ok := mavenEncrypted(root.value("master"))
		if !ok {
			return "", helpers.WithHint(fmt.Errorf("%s has no encrypted master password", shown), "mvn --encrypt-master-password makes one")
		}
		master, err := mavenDecrypt(sealed, mavenMaster)
		if err != nil {
			return "", fmt.Errorf("decrypting the master password in %s: %w", shown, err)
		}
		return mavenDecrypt(inner, master)
	}
	return "", fmt.Errorf("%s names another file, and that another, more than %d times", m.Env.Display(path), maxRelocations)
}

// mavenDecrypt opens what plexus-cipher up to 2.0 sealed, which Maven 3 uses (https://github.com/codehaus-plexus/plexus-cipher):
// in base64 a salt of 8 bytes, the length of the padding behind, and AES-128-CBC with the padding of PKCS #7.
// The sum of password and salt is key and initialization vector.
func mavenDecrypt(sealed, password string) (string, error) {
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(sealed), ""))
	if err != nil || len(data) < 9 {
		return "", errors.New("what is in braces is not encrypted as Maven 3 does it")
	}
	salt, pad, body := data[:8], int(data[8]), data[9:]
	if len(body) < pad+aes.BlockSize || (len(body)-pad)%aes.BlockSize != 0 {
		return "", errors.New("what is in braces is not encrypted as Maven 3 does it")
	}
	body = body[:len(body)-pad]
	sum := sha256.Sum256(append([]byte(password), salt...))
	block, err := aes.NewCipher(sum[:16])
	if err != nil {
		return "", err
	}
	cipher.NewCBCDecrypter(block, sum[16:]).CryptBlocks(body, body)
	n := int(body[len(body)-1])
	if n == 0 || n > aes.BlockSize {
		return "", errMavenMaster
	}
	for _, c := range body[len(body)-n:] {
		if int(c) != n {
			return "", errMavenMaster
		}
	}
	return string(body[:len(body)-n]), nil
}

var errMavenMaster = errors.New("it was encrypted with another master password")
