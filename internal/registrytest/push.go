package registrytest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// An Image is one that was pushed.
type Image struct {
	ManifestURL string // by tag
	LayerURL    string // of its one layer
	Image       v1.Image
}

// NewImage makes a small image of random content and says where it will be once it is pushed to repository under tag.
func (r *Registry) NewImage(repository, tag string) (Image, error) {
	img, err := random.Image(1<<10, 1)
	if err != nil {
		return Image{}, fmt.Errorf("making an image: %w", err)
	}
	layers, err := img.Layers()
	if err != nil {
		return Image{}, fmt.Errorf("making an image: %w", err)
	}
	digest, err := layers[0].Digest()
	if err != nil {
		return Image{}, fmt.Errorf("making an image: %w", err)
	}
	base := r.URL + "/v2/" + repository
	return Image{ManifestURL: base + "/manifests/" + tag, LayerURL: base + "/blobs/" + digest.String(), Image: img}, nil
}

// Push puts a small image into a repository, past the login and without a trace in the record.
func (r *Registry) Push(ctx context.Context, repository, tag string) (Image, error) {
	image, err := r.NewImage(repository, tag)
	if err != nil {
		return Image{}, err
	}
	ref, err := name.NewTag(r.Host+"/"+repository+":"+tag, name.Insecure)
	if err != nil {
		return Image{}, fmt.Errorf("pushing an image: %w", err)
	}
	if err := remote.Write(ref, image.Image, remote.WithContext(ctx), remote.WithTransport(direct{r.content})); err != nil {
		return Image{}, fmt.Errorf("pushing an image: %w", err)
	}
	return image, nil
}

// direct is a transport that calls a handler.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	served := req.Clone(req.Context())
	if served.Body == nil {
		served.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, served)
	resp := w.Result()
	resp.Request = req
	return resp, nil
}
