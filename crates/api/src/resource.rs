//! What the four root objects have in common: their shape on the wire and how `kube` sees them.
//! Written by hand because `spec` is optional in the schema of two of them: an object without one must stay readable,
//! or a single bad object would hide all others from the controller.

/// What a kind is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindNames {
    /// The kind.
    pub kind: &'static str,
    /// Its name in URLs.
    pub plural: &'static str,
    /// Short names for kubectl.
    pub short_names: &'static [&'static str],
    /// Objects live in namespaces.
    pub namespaced: bool,
}

/// A root object of the API.
pub trait Root: kube::Resource<DynamicType = ()> {
    /// What its kind is called.
    const NAMES: KindNames;
}

/// Declares a root object with `metadata`, `spec` and `status`.
macro_rules! root_object {
    (
        $(#[$doc:meta])*
        pub struct $name:ident { spec: $spec:ty, status: $status:ty }
        scope: $scope:ty, namespaced: $namespaced:literal, plural: $plural:literal, short: [$($short:literal),*]
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, ::serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            /// Name, namespace, labels, annotations.
            pub metadata: ::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
            /// What is asked for.
            pub spec: $spec,
            /// What was observed.
            pub status: Option<$status>,
        }

        impl $name {
            /// An object with a name and a spec, and nothing else.
            pub fn new(name: &str, spec: $spec) -> Self {
                let metadata = ::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                    name: Some(name.to_owned()),
                    ..Default::default()
                };
                Self { metadata, spec, status: None }
            }
        }

        impl $crate::resource::Root for $name {
            const NAMES: $crate::resource::KindNames = $crate::resource::KindNames {
                kind: stringify!($name),
                plural: $plural,
                short_names: &[$($short),*],
                namespaced: $namespaced,
            };
        }

        impl ::kube::Resource for $name {
            type DynamicType = ();
            type Scope = $scope;

            fn kind((): &()) -> ::std::borrow::Cow<'_, str> {
                stringify!($name).into()
            }

            fn group((): &()) -> ::std::borrow::Cow<'_, str> {
                $crate::names::GROUP.into()
            }

            fn version((): &()) -> ::std::borrow::Cow<'_, str> {
                $crate::names::VERSION.into()
            }

            fn plural((): &()) -> ::std::borrow::Cow<'_, str> {
                $plural.into()
            }

            fn meta(&self) -> &::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &self.metadata
            }

            fn meta_mut(&mut self) -> &mut ::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &mut self.metadata
            }
        }

        impl ::kube::core::object::HasSpec for $name {
            type Spec = $spec;

            fn spec(&self) -> &$spec {
                &self.spec
            }

            fn spec_mut(&mut self) -> &mut $spec {
                &mut self.spec
            }
        }

        impl ::kube::core::object::HasStatus for $name {
            type Status = $status;

            fn status(&self) -> Option<&$status> {
                self.status.as_ref()
            }

            fn status_mut(&mut self) -> &mut Option<$status> {
                &mut self.status
            }
        }

        impl ::serde::Serialize for $name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use ::serde::ser::SerializeStruct;
                // A spec is never empty where the schema holds, so an empty one was not there.
                let has_spec = self.spec != <$spec>::default();
                let fields = 3 + usize::from(has_spec) + usize::from(self.status.is_some());
                let mut object = serializer.serialize_struct(stringify!($name), fields)?;
                let version = <Self as ::kube::Resource>::api_version(&());
                object.serialize_field("apiVersion", version.as_ref())?;
                object.serialize_field("kind", stringify!($name))?;
                object.serialize_field("metadata", &self.metadata)?;
                if has_spec {
                    object.serialize_field("spec", &self.spec)?;
                }
                if let Some(status) = &self.status {
                    object.serialize_field("status", status)?;
                }
                object.end()
            }
        }
    };
}
